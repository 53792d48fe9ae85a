-- Secrets of a store that are replaced while it works. A path token has a previous one, like the other secrets; and where
-- Chatwoot makes the secret, a webhook beside the old one, which goes when the first delivery on the new one has verified.

alter table public.chatwoot_accounts add column path_token_sha256_previous bytea;
grant select (path_token_sha256_previous) on public.chatwoot_accounts to wootstream_ingress;

create table wootstream.rotations (
  organization_id uuid primary key references public.organizations (id) on delete cascade,
  version integer not null check (version > 1), -- the new webhook's URL ends in ?v=…
  new_webhook integer not null,
  old_webhook integer, -- null: it is gone
  begun_at timestamptz not null default clock_timestamp(),
  verified_at timestamptz -- when an ingress first took a delivery on the new one
);
comment on table wootstream.rotations is 'The last replacement of a store''s webhook, by Chatwoot''s ids of the old and the new one.';
call wootstream.protect('wootstream.rotations');
grant select, insert, update on wootstream.rotations to wootstream_service;
grant select, update, delete on wootstream.rotations to wootstream_privacy;
create policy doors on wootstream.rotations to wootstream_ingress using (true) with check (true);
grant select (organization_id, version, verified_at), update (verified_at) on wootstream.rotations to wootstream_ingress;

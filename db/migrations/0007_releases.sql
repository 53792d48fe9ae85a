-- A store's releases of Chatwoot: the rules of its figures depend on them, and each holds since a moment.

create table wootstream.releases (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  since timestamptz not null,
  release text not null check (release ~ '^[0-9]+\.[0-9]+'),
  primary key (organization_id, since)
);
comment on table wootstream.releases is 'Which release of Chatwoot a store was on since when, as its API told; the first holds for all before.';
call wootstream.protect('wootstream.releases');
grant select, insert on wootstream.releases to wootstream_service;
grant select, update, delete on wootstream.releases to wootstream_privacy;

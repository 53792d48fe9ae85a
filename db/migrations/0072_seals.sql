-- Stores whose records are encrypted in the topics. For each month a store has a tree of keys: whoever holds a node can
-- reckon what lies below it, a leaf is the key of one name in one second. An erasure takes the leaves of the person's names
-- out for good: of what was above them only the other branches are kept.

create table wootstream.seal_trees (
  organization_id uuid not null,
  id uuid not null,
  begins_at timestamptz not null,
  tree text check (tree <> ''),
  version integer not null default 1 check (version > 0),
  primary key (organization_id, id)
);
comment on table wootstream.seal_trees is 'Keys of the records that a store seals, a tree for each month; null: its time is over, and nothing that it sealed can be opened.';
comment on column wootstream.seal_trees.tree is 'The nodes that are left, sealed with the installation key. [personal: keys of the records about a person; purpose: open them; from: made here; kept: a name''s until it is erased, all 120 days after the month; read by: doors, services]';
comment on column wootstream.seal_trees.version is 'Another number as soon as a node is taken out.';
call wootstream.protect('wootstream.seal_trees');
grant select, insert on wootstream.seal_trees to wootstream_service;
grant update (tree, version) on wootstream.seal_trees to wootstream_service;
grant select, insert, update, delete on wootstream.seal_trees to wootstream_privacy;
create policy doors on wootstream.seal_trees to wootstream_ingress using (true) with check (true);
grant select, insert on wootstream.seal_trees to wootstream_ingress;

alter table public.chatwoot_accounts add column seal boolean not null default false,
  add column seal_version integer not null default 0;
comment on column public.chatwoot_accounts.seal is 'Whether the doors encrypt the records of this store.';
comment on column public.chatwoot_accounts.seal_version is 'Another number as soon as the store has other keys to seal with: the doors read them again.';
grant select (seal, seal_version) on public.chatwoot_accounts to wootstream_ingress, authenticated;

create or replace trigger told after insert or delete or update of
  organization_id, slug, account_status, account_name, chatwoot_base_url, chatwoot_account_id, webhook_secret, webhook_secret_previous,
  event_secret, event_secret_previous, vouching_secret, vouching_secret_previous, identity_key, website_token, unsigned,
  path_token_sha256, path_token_sha256_previous, domains, keep_full_ip, locale, consent_needed, seal, seal_version
on public.chatwoot_accounts for each statement execute function wootstream.tell_of_stores();

-- What people agreed to and took back, as facts under the keyed hashes of their names; what a store may keep without.

create table wootstream.consents (
  organization_id uuid not null,
  digest bytea not null check (octet_length(digest) = 16),
  purpose text not null check (purpose in ('analytics', 'chat')),
  said_at timestamptz not null,
  given boolean not null,
  text_version text,
  source text not null check (source in ('beacon', 'shop', 'api', 'verb')),
  heard_at timestamptz not null default clock_timestamp(),
  subject text,
  primary key (organization_id, digest, purpose, said_at, given)
);
comment on table wootstream.consents is 'That a person agreed to a purpose or took that back: each word once, never changed. The newest counts, and of one moment the one that takes back.';
comment on column wootstream.consents.digest is 'BLAKE2b of a name of the person, keyed by the installation and the store, as in erased_subjects. [personal: keyed hash of a name; purpose: know who agreed; from: browser, shop, operator; kept: until erased; read by: services]';
comment on column wootstream.consents.text_version is 'Which text the person was shown, in the store''s own words.';
comment on column wootstream.consents.subject is 'The name, sealed, until the word was applied to what was kept before it; then null. [personal: whose word it is, sealed; purpose: apply it to what was kept before; from: browser, shop, operator; kept: until it is applied; read by: services]';
call wootstream.protect('wootstream.consents');
-- From the latest withdrawal on a batch need not be looked at; and what waits to be applied is found without a search.
create index consents_latest on wootstream.consents (organization_id, purpose, given, said_at);
create index consents_waiting on wootstream.consents (organization_id, heard_at) where subject is not null;
grant select, insert on wootstream.consents to wootstream_service;
grant select, insert, update, delete on wootstream.consents to wootstream_privacy;

alter table public.chatwoot_accounts add column consent_needed text[] not null default '{analytics}'
  check (consent_needed <@ array['analytics', 'chat']);
comment on column public.chatwoot_accounts.consent_needed is 'The purposes for which this store keeps nothing of a person who has not agreed.';
grant select (consent_needed) on public.chatwoot_accounts to wootstream_ingress, authenticated;
create or replace trigger told after insert or delete or update of
  organization_id, slug, account_status, account_name, chatwoot_base_url, chatwoot_account_id, webhook_secret, webhook_secret_previous,
  event_secret, event_secret_previous, vouching_secret, vouching_secret_previous, identity_key, website_token, unsigned,
  path_token_sha256, path_token_sha256_previous, domains, keep_full_ip, locale, consent_needed
on public.chatwoot_accounts for each statement execute function wootstream.tell_of_stores();

alter table wootstream.conversations add column contact_digest bytea check (octet_length(contact_digest) = 16);
comment on column wootstream.conversations.contact_digest is 'In place of a contact who has not agreed to be named: a keyed hash of its number, by which it is named once they agree. [personal: keyed hash of Chatwoot''s number of a contact; purpose: name who agrees later; from: Chatwoot; kept: until they agree or are erased; read by: services]';
create index conversations_contact on wootstream.conversations (organization_id, contact_id) where contact_id is not null;
create index conversations_unnamed on wootstream.conversations (organization_id, contact_digest) where contact_digest is not null;

-- A batch asks before it keeps anything, and holds the stores' words still until it ends: whoever applies a word to what was
-- kept waits for it, and sees all. Statement by statement, for the second must see what the first waited for.
create function wootstream.consents_of(stores uuid[])
  returns table (organization_id uuid, chat_needed boolean, chat_said boolean, withdrawn_until timestamptz)
  language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('wootstream/consent/' || store::text, 0))
    from (select distinct unnest(stores) as store order by 1) ordered;
  return query select s.store,
    coalesce((select 'chat' = any (a.consent_needed) from public.chatwoot_accounts a
      where a.organization_id = s.store and a.account_status <> 'deleted'), false),
    exists (select from wootstream.consents c where c.organization_id = s.store and c.purpose = 'chat'),
    (select max(c.said_at) from wootstream.consents c where c.organization_id = s.store and c.purpose = 'analytics' and not c.given)
  from (select distinct unnest(stores) as store) s;
end $$;
revoke execute on function wootstream.consents_of(uuid[]) from public;
grant execute on function wootstream.consents_of(uuid[]) to wootstream_service, wootstream_privacy;

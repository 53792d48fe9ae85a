-- What Shopify tells a store to do for people: show, forget, or forget the whole shop. Its webhooks are signed with a
-- secret of their own, and what it asks becomes a request like any other.

alter table public.chatwoot_accounts
  add column shopify_secret text,
  add column shopify_secret_previous text,
  add column shopify_domain text check (shopify_domain ~ '^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]?\.myshopify\.com$'),
  add column erase_when_redacted boolean not null default false;
comment on column public.chatwoot_accounts.shopify_secret is 'The client secret of the app in whose name Shopify signs webhooks for this store: text, sealed.';
comment on column public.chatwoot_accounts.shopify_domain is 'Which shop that is, by Shopify''s own name of it.';
comment on column public.chatwoot_accounts.erase_when_redacted is 'Whether shop/redact erases the whole store by itself; else an operator confirms it.';
grant select (shopify_secret, shopify_secret_previous, shopify_domain) on public.chatwoot_accounts to wootstream_ingress;
-- Beside `told`, which lists the columns of its time.
create trigger told_of_shopify after update of shopify_secret, shopify_secret_previous, shopify_domain
on public.chatwoot_accounts for each statement execute function wootstream.tell_of_stores();

-- A store that goes is a request, too; and an export that is made waits, open, until it is fetched.
alter table wootstream.privacy_requests drop constraint privacy_requests_kind_check;
alter table wootstream.privacy_requests add constraint privacy_requests_kind_check
  check (kind in ('erasure', 'access', 'portability', 'store erasure'));
alter table wootstream.privacy_requests drop constraint privacy_requests_state_check;
alter table wootstream.privacy_requests add constraint privacy_requests_state_check
  check (state in ('asked', 'running', 'made', 'done', 'refused'));
-- A sender repeats what it says for a day.
alter table wootstream.privacy_requests add column fingerprint bytea check (octet_length(fingerprint) = 16);
alter table wootstream.privacy_requests add column export_key text, add column made_at timestamptz;
comment on column wootstream.privacy_requests.fingerprint is 'Keyed hash of the message that asked, by which a repetition is known: nobody''s data.';
comment on column wootstream.privacy_requests.export_key is 'The key of the export that lies on the disk of whoever made it, sealed with the installation key; null once it is fetched or too old: then nobody can open the file.';
create index privacy_requests_repeated on wootstream.privacy_requests (organization_id, fingerprint, asked_at) where fingerprint is not null;
create index privacy_requests_waiting on wootstream.privacy_requests (organization_id, deadline) where state in ('asked', 'running', 'made');
drop index wootstream.privacy_requests_open;

-- Chatwoot keeps a telephone number as +31612345678 and no other way, a shop as its customer typed it: +31 6 1234-5678.
-- Compared as they are written, nobody was found by phone, though an erasure takes both for one (db/privacy/people.py, the
-- same rule). As with e-mail addresses (0058), a column of its own is compared by plain equality, or no index serves below
-- row security. Both tables are written anew: some ten seconds a million rows, during which whoever writes them waits.

alter table wootstream.customers add column phone_key text generated always as (
  nullif(regexp_replace(phone, '[^0-9+]', '', 'g'), '')) stored;
comment on column wootstream.customers.phone_key is 'The telephone number without what people put between its digits, by which the customer is looked for. [personal: telephone number; purpose: find the customer''s contact; from: shop; kept: until erased; read by: services]';
drop index wootstream.customers_phone;
create index customers_phone on wootstream.customers (organization_id, phone_key) where phone_key is not null;

alter table public.chatwoot_contacts add column phone_key text generated always as (
  nullif(regexp_replace(phone, '[^0-9+]', '', 'g'), '')) stored;
comment on column public.chatwoot_contacts.phone_key is 'The telephone number without what people put between its digits, by which the contact is looked for. [personal: telephone number; purpose: find the customer''s contact; from: Chatwoot; kept: until erased; read by: services]';
drop index public.chatwoot_contacts_phone;
create index chatwoot_contacts_phone on public.chatwoot_contacts (organization_id, phone_key) where phone_key is not null;

-- The same rules; `telephone` is a phone_key here. The release before this one gives a phone as it is written, and finds
-- by it who it found so far: Chatwoot's own are written plainly.
create or replace function wootstream.contact_for(store uuid, customer text, mail text, telephone text)
  returns table (chatwoot_account_id integer, chatwoot_contact_id integer) language sql stable
  as $$
    select a.chatwoot_account_id, c.chatwoot_contact_id
    from (
      select one.chatwoot_account_id, one.chatwoot_contact_id, 1 as arm from public.chatwoot_contacts one
      where one.organization_id = store and one.customer_id = customer
      union all
      select one.chatwoot_account_id, one.chatwoot_contact_id, 2 from public.chatwoot_contacts one
      where one.organization_id = store and one.email_key = mail and one.customer_id is null
      union all
      select one.chatwoot_account_id, one.chatwoot_contact_id, 3 from public.chatwoot_contacts one
      where one.organization_id = store and one.phone_key = telephone and one.customer_id is null
    ) c
    join public.chatwoot_accounts a on a.organization_id = store and a.chatwoot_account_id = c.chatwoot_account_id
    where a.account_status = 'active'
    order by c.arm, c.chatwoot_contact_id limit 1
  $$;

create or replace function wootstream.customer_for(store uuid, identifier text, mail text, telephone text)
  returns table (customer_id text) language sql stable
  as $$
    select k.customer_id
    from (
      select one.customer_id, one.order_count, one.email_key = mail as same_mail from wootstream.customers one
      where one.organization_id = store and one.customer_id = identifier
      union all
      select one.customer_id, one.order_count, true from wootstream.customers one
      where identifier is null and one.organization_id = store and one.email_key = mail
      union all
      select one.customer_id, one.order_count, one.email_key = mail from wootstream.customers one
      where identifier is null and one.organization_id = store and one.phone_key = telephone
    ) k
    order by k.same_mail desc nulls last, k.order_count desc, k.customer_id limit 1
  $$;

-- An order is reckoned from its newest facts, so many at most: a shop that names each of its orders alike, or says the
-- same every hour under another id, is not read through for each event.
create index shop_facts_of_order on wootstream.shop_facts (organization_id, order_id, happened_at desc, event_id desc, source desc)
  where order_id is not null;
drop index wootstream.shop_facts_order;

comment on column wootstream.privacy_requests.reason is 'Why it was refused, in the words of whoever holds the data, or for what it waits; names nobody.';

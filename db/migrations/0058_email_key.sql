-- Whom an e-mail address names was looked for through the whole store: the two arms of "by id, or by e-mail" stand in one
-- condition, and below row security no condition with lower() may go into an index, for it might tell of rows that nobody
-- may see. A column of its own is compared by plain equality, which may. Both tables are written anew: some ten seconds a
-- million rows, during which whoever writes them waits.

alter table wootstream.customers add column email_key text generated always as (lower(email)) stored;
comment on column wootstream.customers.email_key is 'The e-mail address in lower case, by which the customer is looked for. [personal: e-mail address; purpose: find the customer''s contact; from: shop; kept: until erased; read by: services]';
drop index wootstream.customers_email;
create index customers_email on wootstream.customers (organization_id, email_key) where email_key is not null;

alter table public.chatwoot_contacts add column email_key text generated always as (lower(email)) stored;
comment on column public.chatwoot_contacts.email_key is 'The e-mail address in lower case, by which the contact is looked for. [personal: e-mail address; purpose: find the customer''s contact; from: Chatwoot; kept: until erased; read by: services]';
drop index public.chatwoot_contacts_email;
create unique index chatwoot_contacts_email on public.chatwoot_contacts (organization_id, email_key, chatwoot_account_id)
  where email_key is not null;

-- The same rules as contact_of_customer and customer_of_contact, which the release before this one asks: `mail` is an
-- email_key here.
create function wootstream.contact_for(store uuid, customer text, mail text, telephone text)
  returns table (chatwoot_account_id integer, chatwoot_contact_id integer) language sql stable
  as $$
    select c.chatwoot_account_id, c.chatwoot_contact_id
    from public.chatwoot_contacts c join public.chatwoot_accounts a using (organization_id, chatwoot_account_id)
    where c.organization_id = store and a.account_status = 'active'
      and (c.customer_id = customer or c.customer_id is null and (c.email_key = mail or c.phone = telephone))
    order by c.customer_id nulls last, c.email_key = mail desc nulls last, c.chatwoot_contact_id limit 1
  $$;
comment on function wootstream.contact_for(uuid, text, text, text) is 'The one contact of a customer, in the store''s active account.';

create function wootstream.customer_for(store uuid, identifier text, mail text, telephone text)
  returns table (customer_id text) language sql stable
  as $$
    select k.customer_id from wootstream.customers k
    where k.organization_id = store
      and (k.customer_id = identifier or identifier is null and (k.email_key = mail or k.phone = telephone))
    order by k.email_key = mail desc nulls last, k.order_count desc, k.customer_id limit 1
  $$;
comment on function wootstream.customer_for(uuid, text, text, text) is 'The one customer whom a contact stands for.';

revoke execute on function wootstream.contact_for(uuid, text, text, text), wootstream.customer_for(uuid, text, text, text) from public;
grant execute on function wootstream.contact_for(uuid, text, text, text), wootstream.customer_for(uuid, text, text, text)
  to wootstream_service, wootstream_privacy;

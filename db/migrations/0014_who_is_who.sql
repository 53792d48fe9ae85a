-- Who is who, once for all: a customer is the contact that bears their id; else one without an id that has their e-mail,
-- else their phone. It stood in four statements, two of which knew the id alone: a guest's tier and cart were not theirs.
-- Plain SQL functions without settings of their own, so that the planner puts them into the statement that asks.

create function wootstream.contact_of_customer(store uuid, customer text, mail text, telephone text)
  returns table (chatwoot_account_id integer, chatwoot_contact_id integer) language sql stable
  as $$
    select c.chatwoot_account_id, c.chatwoot_contact_id
    from public.chatwoot_contacts c join public.chatwoot_accounts a using (organization_id, chatwoot_account_id)
    where c.organization_id = store and a.account_status = 'active'
      and (c.customer_id = customer or c.customer_id is null and (lower(c.email) = lower(mail) or c.phone = telephone))
    order by c.customer_id nulls last, lower(c.email) = lower(mail) desc nulls last, c.chatwoot_contact_id limit 1
  $$;
comment on function wootstream.contact_of_customer(uuid, text, text, text) is 'The one contact of a customer, in the store''s active account.';

-- The other way round a contact is one customer only: several guest orders with one e-mail have several ids.
create function wootstream.customer_of_contact(store uuid, identifier text, mail text, telephone text)
  returns table (customer_id text) language sql stable
  as $$
    select k.customer_id from wootstream.customers k
    where k.organization_id = store
      and (k.customer_id = identifier or identifier is null and (lower(k.email) = lower(mail) or k.phone = telephone))
    order by lower(k.email) = lower(mail) desc nulls last, k.order_count desc, k.customer_id limit 1
  $$;
comment on function wootstream.customer_of_contact(uuid, text, text, text) is 'The one customer whom a contact stands for.';

revoke execute on function wootstream.contact_of_customer(uuid, text, text, text), wootstream.customer_of_contact(uuid, text, text, text) from public;
grant execute on function wootstream.contact_of_customer(uuid, text, text, text), wootstream.customer_of_contact(uuid, text, text, text)
  to wootstream_service, wootstream_privacy;

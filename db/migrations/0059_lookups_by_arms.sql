-- "By id, or by e-mail, or by phone", each arm by its own index. In one condition the planner had the choice to read the whole
-- store, and took it where many small stores beside a large one made it think that a store is small.

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
      where one.organization_id = store and one.phone = telephone and one.customer_id is null
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
      where identifier is null and one.organization_id = store and one.phone = telephone
    ) k
    order by k.same_mail desc nulls last, k.order_count desc, k.customer_id limit 1
  $$;

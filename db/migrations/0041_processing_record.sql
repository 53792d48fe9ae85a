-- Every column that holds something of a person says so, and why, from where, how long and for whom: the record of
-- processing (GDPR art. 30) is read from here. After what the column is, in brackets:
-- [personal: what; purpose: why; from: source; kept: how long; read by: whom]

do $$
declare
  one record;
  before text;
begin
  for one in select * from (values
    ('wootstream.customers', 'customer_id', 'the shop''s number of a customer', 'answer customers', 'shop', 'until erased', 'staff of the store, Chatwoot'),
    ('wootstream.customers', 'email', 'e-mail address', 'find the customer''s contact', 'shop', 'until erased', 'staff of the store'),
    ('wootstream.customers', 'phone', 'telephone number', 'find the customer''s contact', 'shop', 'until erased', 'staff of the store'),
    ('wootstream.customers', 'name', 'name', 'answer customers', 'shop', 'until erased', 'staff of the store'),
    ('wootstream.customers', 'preferred_language', 'language', 'answer customers', 'shop', 'until erased', 'staff of the store, Chatwoot'),
    ('wootstream.customers', 'marketing_consent', 'consent to marketing', 'respect it', 'shop', 'until erased', 'staff of the store, Chatwoot'),
    ('wootstream.shop_facts', 'customer_id', 'the shop''s number of a customer', 'orders and tiers', 'shop', 'until erased', 'services'),
    ('wootstream.shop_facts', 'order_id', 'number of an order', 'orders and tiers', 'shop', 'until erased', 'services'),
    ('wootstream.orders', 'customer_id', 'the shop''s number of a customer', 'orders and tiers', 'shop', 'until erased', 'staff of the store'),
    ('wootstream.orders', 'order_id', 'number of an order', 'orders and tiers', 'shop', 'until erased', 'staff of the store'),
    ('wootstream.visits', 'customer_id', 'the shop''s number of a customer', 'show agents where a customer is', 'browser, with consent', 'until erased', 'services, Chatwoot'),
    ('wootstream.visits', 'session_id', 'session of a browser', 'show agents where a customer is', 'browser, with consent', 'until erased', 'services'),
    ('wootstream.visits', 'page_url', 'page that was seen', 'show agents where a customer is', 'browser, with consent', 'until erased', 'services, Chatwoot'),
    ('public.chatwoot_widget_events', 'session_id', 'session of a browser', 'analytics', 'browser, with consent', 'as the store says, a year by default', 'managers of the store'),
    ('public.chatwoot_widget_events', 'user_id', 'user of the host', 'analytics', 'browser, with consent', 'as the store says, a year by default', 'managers of the store'),
    ('public.chatwoot_widget_events', 'customer_id', 'the shop''s number of a customer', 'analytics', 'browser, with consent', 'as the store says, a year by default', 'services'),
    ('public.chatwoot_widget_events', 'page_url', 'page that was seen', 'analytics', 'browser, with consent', 'as the store says, a year by default', 'managers of the store'),
    ('public.chatwoot_widget_events', 'referrer', 'page before', 'analytics', 'browser, with consent', 'as the store says, a year by default', 'managers of the store'),
    ('public.chatwoot_widget_events', 'user_agent', 'name of the browser', 'analytics', 'browser, with consent', 'as the store says, a year by default', 'services'),
    ('public.chatwoot_widget_events', 'ip_address', 'network address, truncated by default', 'analytics', 'browser, with consent', 'as the store says, a year by default', 'services'),
    ('public.chatwoot_widget_events', 'event_data', 'what the storefront reports: cart, page', 'analytics', 'browser, with consent', 'as the store says, a year by default', 'managers of the store'),
    ('public.chatwoot_contacts', 'user_id', 'user of the host', 'find the customer''s contact', 'Chatwoot', 'until erased', 'staff of the store'),
    ('public.chatwoot_contacts', 'email', 'e-mail address', 'find the customer''s contact', 'Chatwoot', 'until erased', 'staff of the store'),
    ('public.chatwoot_contacts', 'phone', 'telephone number', 'find the customer''s contact', 'Chatwoot', 'until erased', 'staff of the store'),
    ('public.chatwoot_contacts', 'customer_id', 'the shop''s number of a customer', 'find the customer''s contact', 'Chatwoot', 'until erased', 'staff of the store'),
    ('public.chatwoot_contacts', 'chatwoot_contact_id', 'Chatwoot''s number of a contact', 'find the customer''s contact', 'Chatwoot', 'until erased', 'staff of the store'),
    ('public.chatwoot_contacts', 'cached_attributes', 'attributes of a contact', 'send only what is news', 'Chatwoot', 'until erased', 'services'),
    ('public.chatwoot_conversations', 'chatwoot_contact_id', 'Chatwoot''s number of a contact', 'figures of conversations', 'Chatwoot', 'until erased', 'staff of the store'),
    ('public.chatwoot_conversations', 'assignee_name', 'name of an agent', 'figures of conversations', 'Chatwoot', 'with the conversation', 'staff of the store'),
    ('wootstream.conversations', 'contact_id', 'Chatwoot''s number of a contact', 'figures of conversations', 'Chatwoot', 'until erased', 'services'),
    ('wootstream.conversations', 'seen', 'state of a conversation, with its agent''s name', 'figures of conversations', 'Chatwoot', 'with the conversation', 'services'),
    ('wootstream.messages', 'sender_id', 'Chatwoot''s number of who wrote', 'figures of conversations', 'Chatwoot', 'a contact''s until erased', 'services'),
    ('wootstream.directory', 'name', 'name of an agent or a team', 'reports', 'Chatwoot', 'until the store goes', 'staff of the store'),
    ('wootstream.contact_absences', 'customer_id', 'the shop''s number of a customer', 'not to ask Chatwoot again', 'shop', 'until erased', 'services'),
    ('wootstream.contact_differences', 'chatwoot_contact_id', 'Chatwoot''s number of a contact', 'show what would be sent', 'services', 'until erased', 'operator'),
    ('wootstream.contact_differences', 'changed', 'attributes of a contact', 'show what would be sent', 'services', 'until erased', 'operator'),
    ('wootstream.due', 'person', 'the shop''s or Chatwoot''s number of a person', 'send what is news', 'services', 'until sent', 'services'),
    ('wootstream.dead_letters', 'record_key', 'a record that no service could apply', 'mend and send again', 'shop, browser, Chatwoot', 'until erased, discarded or sent again', 'operator, written down'),
    ('wootstream.dead_letters', 'record_value', 'a record that no service could apply', 'mend and send again', 'shop, browser, Chatwoot', 'until erased, discarded or sent again', 'operator, written down'),
    ('wootstream.dead_letters', 'record_headers', 'a record that no service could apply', 'mend and send again', 'shop, browser, Chatwoot', 'until erased or discarded', 'operator, written down'),
    ('wootstream.privacy_requests', 'subject', 'whom a request is about, sealed', 'do what was asked', 'operator', 'until it is done', 'services'),
    ('wootstream.audit_log', 'actor', 'who of the operator''s people acted', 'show who changed or saw what', 'operator', 'as its owner says', 'operator'),
    ('wootstream.audit_log', 'source', 'machine or address of who acted', 'show who changed or saw what', 'operator', 'as its owner says', 'operator')
  ) as known (target, field, what, purpose, origin, kept, readers) loop
    before := coalesce((select col_description(one.target::regclass, attnum) from pg_attribute
      where attrelid = one.target::regclass and attname = one.field), '');
    execute format('comment on column %s.%I is %L', one.target, one.field, trim(before || format(
      ' [personal: %s; purpose: %s; from: %s; kept: %s; read by: %s]', one.what, one.purpose, one.origin, one.kept, one.readers)));
  end loop;
end
$$;

-- The record of processing (GDPR art. 30) left out what is kept of the erased, of whom the law bids to keep, of requests and
-- of the operator's own people. A keyed hash of a name is somebody's data as long as the key is there.

do $$
declare
  one record;
  before text;
begin
  for one in select * from (values
    ('wootstream.erased_subjects', 'digest', 'keyed hash of a name', 'apply nothing that was received before the erasure', 'services', 'until the store goes', 'services'),
    ('wootstream.legal_holds', 'digest', 'keyed hash of a name', 'keep what the law bids to keep', 'operator', 'until the hold is lifted', 'services'),
    ('wootstream.legal_holds', 'reason', 'why somebody''s data is kept', 'say why an erasure is refused', 'operator', 'until the hold is lifted', 'operator'),
    ('wootstream.privacy_requests', 'export_key', 'what opens an export, sealed', 'show what is held', 'made here', 'until it is fetched, at most as the store says, 7 days by default', 'services'),
    ('wootstream.privacy_steps', 'proof', 'numbers of the orders that a shop named', 'show that it was done', 'shop', 'until the store goes', 'operator'),
    ('wootstream.chatwoot_reporting_events', 'user_id', 'Chatwoot''s number of an agent', 'figures of conversations', 'Chatwoot', 'with the conversation, at most as the store says, 730 days by default', 'services'),
    ('wootstream.api_tokens', 'user_id', 'a member of the operator''s people', 'show them their stores', 'operator', 'for good, revoked ones too', 'services, operator'),
    ('wootstream.members', 'user_id', 'a member of the operator''s people', 'show them their stores', 'operator', 'until they are no member', 'services, operator')
  ) as t (name, col, what, purpose, source, kept, readers) loop
    -- A host may keep its members itself.
    if to_regclass(one.name) is not null then
      select col_description(attrelid, attnum) into before from pg_attribute where attrelid = one.name::regclass and attname = one.col;
      execute format('comment on column %s.%I is %L', one.name, one.col, concat_ws(' ', before, format(
        '[personal: %s; purpose: %s; from: %s; kept: %s; read by: %s]', one.what, one.purpose, one.source, one.kept, one.readers)));
    end if;
  end loop;
end $$;

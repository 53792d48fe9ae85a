-- How long each store keeps what, in one table; what was there for widget events alone moves into it. The release before
-- goes on keeping events beside this, and lets none go until it is replaced: its hourly round finds its table no more.

create table wootstream.retention (
  organization_id uuid not null,
  kind text not null check (kind in ('chat', 'widget', 'visits', 'shop', 'dead_letters', 'audit_log', 'exports', 'logs')),
  days integer check (days between 1 and 3660),
  since timestamptz,
  moved_at timestamptz,
  swept_at timestamptz,
  begun_at timestamptz not null default now(),
  primary key (organization_id, kind),
  check ((since is null) = (moved_at is null))
);
comment on table wootstream.retention is 'How many days a store keeps each kind, and how far that has come; no personal data.';
comment on column wootstream.retention.days is 'As the store says; null: as the release does.';
comment on column wootstream.retention.since is 'What happened before comes too late to be kept, and leaves an hour after this moved on. It never moves back: what is gone does not come back.';
comment on column wootstream.retention.swept_at is 'When everything older had last left.';
call wootstream.protect('wootstream.retention');
grant select, insert, update on wootstream.retention to wootstream_service;
grant select, insert, update, delete on wootstream.retention to wootstream_privacy;
create policy owner on wootstream.retention for select to wootstream_owner using (true);

alter table wootstream.widget_retention no force row level security;
alter table wootstream.retention no force row level security;
insert into wootstream.retention (organization_id, kind, days, since, moved_at)
select organization_id, 'widget', days, rows_since, moved_at from wootstream.widget_retention;
alter table wootstream.retention force row level security;

-- Of all stores, for consumers, whose batches may name any: moments alone are no secret of anybody's.
create function wootstream.retained_since(wanted text) returns table (organization_id uuid, since timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$ select organization_id, since from wootstream.retention where kind = wanted and since is not null $$;
-- What the release before asks.
create or replace function wootstream.widget_rows_since() returns table (organization_id uuid, rows_since timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$ select organization_id, since from wootstream.retention where kind = 'widget' and since is not null $$;

create or replace function wootstream.detach_widget_month(beginning timestamptz) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' set timezone = 'UTC' as $$
declare
  name text := 'chatwoot_widget_events_' || to_char(beginning, 'YYYYMM');
  ending timestamptz := date_trunc('month', beginning) + interval '1 month';
begin
  if not exists (select from pg_class where oid = to_regclass('wootstream.' || name) and relispartition) then
    return false;
  end if;
  if ending > now() - interval '31 days' or exists (
      select from wootstream.stores() s left join wootstream.retention r on r.organization_id = s.organization_id and r.kind = 'widget'
      where r.since is null or r.since < ending) then
    raise exception 'a store still keeps events of %', to_char(beginning, 'YYYY-MM') using errcode = 'object_not_in_prerequisite_state';
  end if;
  execute format('alter table public.chatwoot_widget_events detach partition wootstream.%I', name);
  return true;
end
$$;
drop table wootstream.widget_retention;

-- What conversations that have left still say: no conversation, no contact, no agent.
create table public.chatwoot_conversation_daily (
  organization_id uuid not null,
  day date not null,
  inbox_id integer not null,
  conversations bigint not null default 0,
  incoming_messages bigint not null default 0,
  outgoing_messages bigint not null default 0,
  surveys bigint not null default 0,
  first_responses bigint not null default 0,
  first_response_seconds bigint not null default 0,
  resolutions bigint not null default 0,
  resolution_seconds bigint not null default 0,
  replies bigint not null default 0,
  reply_seconds bigint not null default 0,
  rated_1 bigint not null default 0,
  rated_2 bigint not null default 0,
  rated_3 bigint not null default 0,
  rated_4 bigint not null default 0,
  rated_5 bigint not null default 0,
  primary key (organization_id, day, inbox_id)
);
comment on table public.chatwoot_conversation_daily is 'Figures by day of the store''s calendar and inbox, of conversations whose time is over; no personal data.';
call wootstream.protect('public.chatwoot_conversation_daily', array['owner', 'admin', 'manager', 'staff']);
grant select on public.chatwoot_conversation_daily to wootstream_service, authenticated;
grant select, insert, update, delete on public.chatwoot_conversation_daily to wootstream_privacy;

-- Along these the sweep walks. Of moments that stand still, or nearly: where a row changes, it need not leave its page.
create index conversations_begun on wootstream.conversations (organization_id, started_at, conversation_id);
drop index wootstream.conversations_started;
create index orders_last on wootstream.orders (organization_id, (greatest(placed_at, paid_at, refunded_at, cancelled_at)), order_id);
create index shop_facts_of_customers on wootstream.shop_facts (organization_id, happened_at, source, event_id) where order_id is null;
create index visits_begun on wootstream.visits (organization_id, first_at, customer_id, session_id);
create index dead_letters_whole on wootstream.dead_letters (organization_id, set_aside_at, id) where record_key is not null or record_value is not null;
-- Customers of whom orders have left are reckoned anew.
alter table wootstream.customers add column outdated boolean not null default false;
comment on column wootstream.customers.outdated is 'Orders of theirs have left since the figures were reckoned.';
create index customers_outdated on wootstream.customers (organization_id, customer_id) where outdated;

-- The log still only grows for everybody; what is older than its time goes by this alone, and nobody can shorten that
-- below a season. Rows of no store: with null.
create policy owner on wootstream.audit_log to wootstream_owner using (true) with check (true);
create function wootstream.trim_audit_log(store uuid, before timestamptz, most integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  ending timestamptz := least(before, now() - interval '90 days');
  gone integer;
begin
  if store is null then
    delete from wootstream.audit_log where id in (
      select id from wootstream.audit_log where organization_id is null and at < ending order by at limit most);
  else
    delete from wootstream.audit_log where id in (
      select id from wootstream.audit_log where organization_id = store and at < ending order by at limit most);
  end if;
  get diagnostics gone = row_count;
  return gone;
end
$$;
revoke execute on function wootstream.retained_since(text), wootstream.trim_audit_log(uuid, timestamptz, integer) from public;
grant execute on function wootstream.retained_since(text) to wootstream_service, wootstream_privacy;
grant execute on function wootstream.trim_audit_log(uuid, timestamptz, integer) to wootstream_privacy;

-- The record of processing says how long.
do $$
declare
  one record;
begin
  for one in
    select c.oid::regclass as target, a.attname as field, regexp_replace(col_description(c.oid, a.attnum), 'kept: ([^;]+);',
      'kept: \1, at most as the store says, ' || k.days || ' days by default;') as said
    from (values
      ('public.chatwoot_conversations', 730), ('wootstream.conversations', 730), ('wootstream.messages', 730),
      ('wootstream.customers', 1825), ('wootstream.shop_facts', 1825), ('wootstream.orders', 1825), ('wootstream.visits', 30),
      ('wootstream.dead_letters', 30), ('wootstream.audit_log', 730)) as k (target, days)
    join pg_class c on c.oid = k.target::regclass join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where col_description(c.oid, a.attnum) like '%[personal:%'
  loop
    execute format('comment on column %s.%I is %L', one.target, one.field, one.said);
  end loop;
end
$$;

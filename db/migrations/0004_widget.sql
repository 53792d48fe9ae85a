-- Widget events, a partition for each month. An event's moment is the one inside its UUIDv7, so the key also finds a
-- browser's repeat. No foreign keys: a guest's id would refuse the batch, and each new partition would lock the parent.

create table public.chatwoot_widget_events (
  id uuid not null,
  organization_id uuid not null,
  event_type text not null check (event_type in ('widget_loaded', 'widget_opened', 'widget_closed', 'message_sent',
    'conversation_started', 'page_viewed', 'cart_updated')),
  session_id text,
  user_id uuid,
  customer_id text,
  page_url text,
  user_agent text,
  ip_address inet,
  referrer text,
  load_time_ms integer check (load_time_ms >= 0),
  widget_version text,
  event_data jsonb not null default '{}',
  created_at timestamptz not null,
  primary key (organization_id, created_at, id)
) partition by range (created_at);
comment on table public.chatwoot_widget_events is 'What a visitor''s browser reported, with consent; addresses truncated unless the store says otherwise.';
comment on column public.chatwoot_widget_events.customer_id is 'The shop''s own id, where the shop vouched for it.';
create index chatwoot_widget_events_customer on public.chatwoot_widget_events (organization_id, customer_id, created_at)
  where customer_id is not null;
create index chatwoot_widget_events_user on public.chatwoot_widget_events (organization_id, user_id, created_at)
  where user_id is not null;
call wootstream.protect('public.chatwoot_widget_events', array['owner', 'admin', 'manager']);
grant select, insert on public.chatwoot_widget_events to wootstream_service;
grant select, update, delete on public.chatwoot_widget_events to wootstream_privacy;
grant select (id, organization_id, event_type, session_id, user_id, page_url, referrer, load_time_ms, widget_version, event_data, created_at)
  on public.chatwoot_widget_events to authenticated;

-- LIKE and ATTACH: CREATE … PARTITION OF would lock the parent against inserts. The parent's row security does not
-- cover a partition asked directly, so each forces its own, with no policy and no grant: nobody may ask it directly.
create function wootstream.ensure_widget_partitions(around timestamptz default now()) returns setof text
  language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '4s' set timezone = 'UTC' as $$
declare
  beginning timestamptz;
  name text;
begin
  perform pg_advisory_xact_lock(hashtext('wootstream/widget_partitions'));
  for beginning in select generate_series(date_trunc('month', around) - interval '1 month', date_trunc('month', around) + interval '3 months', interval '1 month') loop
    name := 'chatwoot_widget_events_' || to_char(beginning, 'YYYYMM');
    if to_regclass('wootstream.' || name) is null then
      execute format('create table wootstream.%I (like public.chatwoot_widget_events including all)', name);
      execute format('alter table wootstream.%I enable row level security', name);
      execute format('alter table wootstream.%I force row level security', name);
      execute format('revoke all on wootstream.%I from public, anon, authenticated, wootstream_ingress, wootstream_service, wootstream_privacy', name);
      execute format('alter table public.chatwoot_widget_events attach partition wootstream.%I for values from (%L) to (%L)',
        name, beginning, beginning + interval '1 month');
      return next name;
    end if;
  end loop;
end
$$;
grant execute on function wootstream.ensure_widget_partitions(timestamptz) to wootstream_service, wootstream_privacy;
select wootstream.ensure_widget_partitions();

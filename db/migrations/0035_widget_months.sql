-- How long each store's widget events stay, and how a month leaves. A row says from which moment on all events of a store
-- are there: what is older was counted and may be gone, so that an event that comes so late is ignored and not counted again.

create table wootstream.widget_retention (
  organization_id uuid primary key,
  days integer not null default 365 check (days between 31 and 3660), -- last month's partition is always there
  rows_since timestamptz,
  moved_at timestamptz,
  check ((rows_since is null) = (moved_at is null))
);
comment on table wootstream.widget_retention is 'How many days a store keeps single widget events, and how far that has come; no personal data.';
call wootstream.protect('wootstream.widget_retention');
grant select, insert, update on wootstream.widget_retention to wootstream_service;
grant select, update, delete on wootstream.widget_retention to wootstream_privacy;
create policy owner on wootstream.widget_retention for select to wootstream_owner using (true);

-- Of all stores, for consumers, whose batches may name any: moments alone are no secret of anybody's.
create function wootstream.widget_rows_since() returns table (organization_id uuid, rows_since timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$ select organization_id, rows_since from wootstream.widget_retention where rows_since is not null $$;

-- A month goes when no store keeps an event of it any more. Not CONCURRENTLY, which no function may: the lock that stops
-- writers is waited for a moment only, and held for the catalogue's rows alone. Who calls tries again on 55P03.
create function wootstream.detach_widget_month(beginning timestamptz) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' set timezone = 'UTC' as $$
declare
  name text := 'chatwoot_widget_events_' || to_char(beginning, 'YYYYMM');
  ending timestamptz := date_trunc('month', beginning) + interval '1 month';
begin
  if not exists (select from pg_class where oid = to_regclass('wootstream.' || name) and relispartition) then
    return false;
  end if;
  if ending > now() - interval '31 days' or exists (
      select from wootstream.stores() s left join wootstream.widget_retention r using (organization_id)
      where r.rows_since is null or r.rows_since < ending) then
    raise exception 'a store still keeps events of %', to_char(beginning, 'YYYY-MM') using errcode = 'object_not_in_prerequisite_state';
  end if;
  execute format('alter table public.chatwoot_widget_events detach partition wootstream.%I', name);
  return true;
end
$$;

-- What was detached is nobody's any more: dropping it locks no writer out.
create function wootstream.drop_widget_month(beginning timestamptz) returns boolean
  language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' set timezone = 'UTC' as $$
declare
  name text := 'chatwoot_widget_events_' || to_char(beginning, 'YYYYMM');
begin
  if not exists (select from pg_class where oid = to_regclass('wootstream.' || name) and not relispartition) then
    return false;
  end if;
  execute format('drop table wootstream.%I', name);
  return true;
end
$$;

revoke execute on function wootstream.widget_rows_since(), wootstream.detach_widget_month(timestamptz), wootstream.drop_widget_month(timestamptz)
  from public;
grant execute on function wootstream.widget_rows_since() to wootstream_service, wootstream_privacy;
grant execute on function wootstream.detach_widget_month(timestamptz), wootstream.drop_widget_month(timestamptz) to wootstream_privacy;

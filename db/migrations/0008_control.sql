-- What the operator's verbs need: who looked at personal data, and whose dead letters there are.

create table wootstream.access_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  organization_id uuid, -- null: the record's store cannot be read
  object text not null
);
comment on table wootstream.access_log is 'Who was shown personal data, when, and of which record; never the data itself.';
create index access_log_store on wootstream.access_log (organization_id, at);
call wootstream.protect('wootstream.access_log');
create policy unreadable on wootstream.access_log to wootstream_service using (organization_id is null) with check (organization_id is null);
grant select, insert on wootstream.access_log to wootstream_service;
grant select, delete on wootstream.access_log to wootstream_privacy;

-- A letter may name a store that does not exist: known stores are not enough to see them all.
create function wootstream.dead_letter_stores() returns setof uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$ select distinct organization_id from wootstream.dead_letters where organization_id is not null $$;
grant execute on function wootstream.dead_letter_stores() to wootstream_service;

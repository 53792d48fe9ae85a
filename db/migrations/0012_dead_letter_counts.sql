-- How much a store's dead letters hold, so that its cap costs a look at one row and not a sum over all of them: 500 letters
-- took 9 s at 50,000 rows and ran into the statement's time-out at 400,000. Triggers count, so the numbers are exact
-- whoever writes: this release, the one before it, a person with psql.

create table wootstream.dead_letter_counts (
  organization_id uuid primary key, -- all zeros: letters whose store cannot be read
  letters bigint not null default 0,
  whole bigint not null default 0, -- of these, letters that still hold their record
  whole_bytes bigint not null default 0
) with (fillfactor = 50);
comment on table wootstream.dead_letter_counts is 'A store''s dead letters, counted by triggers in the transaction that changes them.';
call wootstream.protect('wootstream.dead_letter_counts');
create policy unreadable on wootstream.dead_letter_counts to wootstream_service using (organization_id = '00000000-0000-0000-0000-000000000000');
create policy owner on wootstream.dead_letter_counts to wootstream_owner using (true) with check (true);
grant select on wootstream.dead_letter_counts to wootstream_service, wootstream_privacy;

-- Rows in sorted order, so that two consumers with letters of the same stores wait for each other and never deadlock.
create function wootstream.count_dead_letters_in() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
  begin
    insert into wootstream.dead_letter_counts as c (organization_id, letters, whole, whole_bytes)
    select coalesce(organization_id, '00000000-0000-0000-0000-000000000000'), count(*), count(record_value),
      coalesce(sum(value_bytes) filter (where record_value is not null), 0)
    from after group by 1 order by 1
    on conflict (organization_id) do update set
      letters = c.letters + excluded.letters, whole = c.whole + excluded.whole, whole_bytes = c.whole_bytes + excluded.whole_bytes;
    return null;
  end
  $$;
create function wootstream.count_dead_letters_out() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$
  begin
    insert into wootstream.dead_letter_counts as c (organization_id, letters, whole, whole_bytes)
    select coalesce(organization_id, '00000000-0000-0000-0000-000000000000'), -count(*), -count(record_value),
      -coalesce(sum(value_bytes) filter (where record_value is not null), 0)
    from before group by 1 order by 1
    on conflict (organization_id) do update set
      letters = c.letters + excluded.letters, whole = c.whole + excluded.whole, whole_bytes = c.whole_bytes + excluded.whole_bytes;
    return null;
  end
  $$;
revoke execute on function wootstream.count_dead_letters_in(), wootstream.count_dead_letters_out() from public;
create trigger count_inserted after insert on wootstream.dead_letters
  referencing new table as after for each statement execute function wootstream.count_dead_letters_in();
create trigger count_deleted after delete on wootstream.dead_letters
  referencing old table as before for each statement execute function wootstream.count_dead_letters_out();
create trigger count_changed_out after update on wootstream.dead_letters
  referencing old table as before for each statement execute function wootstream.count_dead_letters_out();
create trigger count_changed_in after update on wootstream.dead_letters
  referencing new table as after for each statement execute function wootstream.count_dead_letters_in();

-- The triggers' lock keeps writers out until this commits, so nothing is counted twice and nothing is left out.
insert into wootstream.dead_letter_counts (organization_id, letters, whole, whole_bytes)
select coalesce(organization_id, '00000000-0000-0000-0000-000000000000'), count(*), count(record_value),
  coalesce(sum(value_bytes) filter (where record_value is not null), 0)
from wootstream.dead_letters group by 1;

create or replace function wootstream.dead_letter_stores() returns setof uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$
    select organization_id from wootstream.dead_letter_counts
    where letters > 0 and organization_id <> '00000000-0000-0000-0000-000000000000'
  $$;

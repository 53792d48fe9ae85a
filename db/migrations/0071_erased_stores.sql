-- Stores that were erased whole: what stays of each is that it was, when, and how many rows went. From the row's first
-- moment on its records are ignored wherever they come from, and its id is never given again.

create table wootstream.erased_stores (
  organization_id uuid primary key,
  slug text not null,
  request_id uuid not null,
  source text not null check (source in ('verb', 'shop', 'topic')),
  asked_at timestamptz not null,
  begun_at timestamptz not null default clock_timestamp(),
  published text,
  finished_at timestamptz,
  proof jsonb not null default '{}'
);
comment on table wootstream.erased_stores is 'Stores that were erased: nothing of theirs is applied any more, and what is left of them is this row.';
comment on column wootstream.erased_stores.published is 'Where privacy.requests tells of it, for a database that is put back from before.';
comment on column wootstream.erased_stores.proof is 'Rows that went, by table; nobody''s data.';
call wootstream.protect('wootstream.erased_stores');
grant select on wootstream.erased_stores to wootstream_service;
grant select, insert, update on wootstream.erased_stores to wootstream_privacy;

-- Nobody but the triggers writes these counts; a row that counts nothing may go.
create function wootstream.forget_letter_counts() returns bigint
  language sql security definer set search_path = pg_catalog, pg_temp
  as $$
    with gone as (
      delete from wootstream.dead_letter_counts where organization_id = any ((select wootstream.scope())::uuid[]) and letters = 0 returning 1
    ) select count(*) from gone
  $$;
revoke execute on function wootstream.forget_letter_counts() from public;
grant execute on function wootstream.forget_letter_counts() to wootstream_privacy;

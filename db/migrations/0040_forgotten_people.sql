-- Who was erased, as keyed hashes alone, and what was received until when is never applied again. Consumers look here in
-- the transaction that applies, after they have locked their place in the ledger.

create table wootstream.erased_subjects (
  organization_id uuid not null,
  digest bytea not null check (octet_length(digest) = 16),
  received_before timestamptz not null,
  request_id uuid not null,
  primary key (organization_id, digest)
);
comment on table wootstream.erased_subjects is 'People who were erased: a keyed hash of each of their names in a store; what was received until then is dropped wherever it comes from.';
comment on column wootstream.erased_subjects.digest is 'BLAKE2b of kind and name, keyed by the installation and the store: nobody can be found by it without the key.';
call wootstream.protect('wootstream.erased_subjects');
-- The latest of a store decides whether a batch need be looked at at all.
create index erased_subjects_latest on wootstream.erased_subjects (organization_id, received_before);
grant select on wootstream.erased_subjects to wootstream_service;
grant select, insert, update, delete on wootstream.erased_subjects to wootstream_privacy;

-- Against it a batch's SELECT … FOR UPDATE waits: whoever held its place before has committed when this returns, and
-- whoever gets it afterwards sees what the holder committed. SHARE would let a consumer in that had looked before.
create function wootstream.hold_ledger() returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
  as $$ begin lock table wootstream.ledger in exclusive mode; end $$;
revoke execute on function wootstream.hold_ledger() from public, anon, authenticated;
grant execute on function wootstream.hold_ledger() to wootstream_privacy;

create table wootstream.privacy_requests (
  organization_id uuid not null,
  id uuid not null,
  kind text not null check (kind in ('erasure', 'access', 'portability')),
  source text not null check (source in ('verb', 'api', 'shop', 'topic', 'store')),
  asked_at timestamptz not null default clock_timestamp(),
  deadline timestamptz not null,
  subject text,
  state text not null default 'asked' check (state in ('asked', 'running', 'done', 'refused')),
  reason text,
  finished_at timestamptz,
  primary key (organization_id, id)
);
comment on table wootstream.privacy_requests is 'What people asked of a store: to see, to take along or to be forgotten; each with its deadline and what became of it.';
comment on column wootstream.privacy_requests.subject is 'Who it is about, sealed with the installation key; null once the request is done.';
comment on column wootstream.privacy_requests.reason is 'Why it was refused, in the words of whoever holds the data; names nobody.';
call wootstream.protect('wootstream.privacy_requests');
create index privacy_requests_open on wootstream.privacy_requests (organization_id, deadline) where state in ('asked', 'running');
grant select, insert on wootstream.privacy_requests to wootstream_service;
grant select, insert, update, delete on wootstream.privacy_requests to wootstream_privacy;

create table wootstream.privacy_steps (
  organization_id uuid not null,
  request_id uuid not null,
  step text not null,
  done_at timestamptz not null default clock_timestamp(),
  proof jsonb not null,
  primary key (organization_id, request_id, step)
);
comment on table wootstream.privacy_steps is 'Steps of a request that are done, each with its proof: counts and answers, nobody''s data.';
call wootstream.protect('wootstream.privacy_steps');
grant select on wootstream.privacy_steps to wootstream_service;
grant select, insert, update, delete on wootstream.privacy_steps to wootstream_privacy;

create table wootstream.legal_holds (
  organization_id uuid not null,
  digest bytea not null check (octet_length(digest) = 16),
  reason text not null check (reason <> ''),
  since timestamptz not null default clock_timestamp(),
  primary key (organization_id, digest)
);
comment on table wootstream.legal_holds is 'People whose data the law bids a store to keep: an erasure is refused with this reason. By keyed hash, as those who were erased.';
call wootstream.protect('wootstream.legal_holds');
grant select on wootstream.legal_holds to wootstream_service;
grant select, insert, update, delete on wootstream.legal_holds to wootstream_privacy;

grant insert on wootstream.audit_log to wootstream_privacy;

-- Stores and their Chatwoot accounts; the ledger and its neighbours; the mailbox of people to look at again.

create table public.chatwoot_accounts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  slug text not null unique check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  chatwoot_base_url text not null,
  chatwoot_account_id integer not null,
  account_name text not null,
  account_status text not null default 'active' check (account_status in ('active', 'suspended', 'deleted')),
  release text not null default '4.13.0' check (release ~ '^[0-9]+\.[0-9]+(\.[0-9]+)?$'),

  -- sealed with the installation key: AES-256-GCM, bound to the store and the column
  api_access_token text,
  webhook_secret text,
  webhook_secret_previous text,
  event_secret text,
  website_token text not null unique,
  unsigned boolean not null default false,
  path_token_sha256 bytea,

  domains text[] not null default '{}',
  keep_full_ip boolean not null default false,
  push text not null default 'shadow' check (push in ('off', 'shadow', 'live')),
  create_contacts boolean not null default false,
  allowed_attributes text[],

  locale text not null default 'nl' check (locale ~ '^[a-z]{2,3}([_-][A-Za-z0-9]{2,8})*$'),
  timezone text not null default 'Europe/Amsterdam',
  currency text not null default 'EUR' check (currency ~ '^[A-Z]{3}$'),
  support_email text,

  last_sync_at timestamptz,
  sync_status text not null default 'active' check (sync_status in ('active', 'syncing', 'error')),
  sync_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  created_by uuid references auth.users (id) on delete set null,

  unique (organization_id, chatwoot_account_id),
  unique (chatwoot_base_url, chatwoot_account_id),
  check (unsigned = (path_token_sha256 is not null))
);
create unique index chatwoot_accounts_one_live on public.chatwoot_accounts (organization_id) where account_status <> 'deleted';
call wootstream.protect('public.chatwoot_accounts', array['owner', 'admin', 'manager']);
grant select, insert, update on public.chatwoot_accounts to wootstream_service;
grant select, update, delete on public.chatwoot_accounts to wootstream_privacy;
grant select (id, organization_id, slug, chatwoot_base_url, chatwoot_account_id, account_name, account_status, release, website_token, domains,
  push, create_contacts, locale, timezone, currency, support_email, last_sync_at, sync_status, sync_error, created_at, updated_at)
  on public.chatwoot_accounts to authenticated;
-- The door must know every store before it knows whose request it has, and sees no API token.
grant select (organization_id, slug, chatwoot_account_id, account_status, webhook_secret, webhook_secret_previous, event_secret, website_token,
  unsigned, path_token_sha256, domains, keep_full_ip, locale, chatwoot_base_url, account_name, updated_at)
  on public.chatwoot_accounts to wootstream_ingress;
create policy doors on public.chatwoot_accounts for select to wootstream_ingress using (true);
create policy migrations on public.chatwoot_accounts to wootstream_owner using (true) with check (true);

-- All stores, for loops that go round them: the ids alone are no secret of anybody's.
create function wootstream.stores() returns table (organization_id uuid, slug text, account_status text)
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$ select organization_id, slug, account_status from public.chatwoot_accounts $$;
grant execute on function wootstream.stores() to wootstream_service, wootstream_privacy;

create table wootstream.inboxes (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  inbox_id integer not null,
  name text,
  has_bot boolean not null default false,
  updated_at timestamptz not null default now(),
  primary key (organization_id, inbox_id)
);
call wootstream.protect('wootstream.inboxes');
grant select, insert, update on wootstream.inboxes to wootstream_service;
grant select, update, delete on wootstream.inboxes to wootstream_privacy;

-- How far each group has come in each partition, and what became of each record. The checks tie the counts to the
-- position: a record cannot be skipped or counted twice without PostgreSQL refusing the commit.
create table wootstream.ledger (
  consumer_group text not null,
  topic text not null,
  partition integer not null,
  era integer not null default 1, -- counts the logs that bore this name: `offsets adopt` begins a new one
  cluster_id text not null,
  first_offset bigint not null check (first_offset >= 0),
  next_offset bigint not null,
  anchor_offset bigint,
  anchor_id text,
  consumed bigint not null default 0,
  applied bigint not null default 0,
  duplicate bigint not null default 0,
  ignored bigint not null default 0,
  dead bigint not null default 0,
  lost bigint not null default 0,
  hollow bigint not null default 0,
  redelivered bigint not null default 0,
  updated_at timestamptz not null default now(),
  primary key (consumer_group, topic, partition),
  constraint ledger_outcomes_add_up check (consumed = applied + duplicate + ignored + dead),
  constraint ledger_position_is_accounted check (next_offset - first_offset = consumed + lost + hollow),
  constraint ledger_counts_are_natural check (least(applied, duplicate, ignored, dead, lost, hollow, redelivered) >= 0),
  constraint ledger_anchor_is_whole check ((anchor_offset is null) = (anchor_id is null))
) with (fillfactor = 50);
grant select, insert, update on wootstream.ledger to wootstream_service;
grant select on wootstream.ledger to wootstream_privacy;

create table wootstream.ledger_history (
  like wootstream.ledger,
  closed_at timestamptz not null default now(),
  closed_because text not null
);
grant select, insert on wootstream.ledger_history to wootstream_service;
grant select on wootstream.ledger_history to wootstream_privacy;

create table wootstream.losses (
  consumer_group text not null,
  topic text not null,
  partition integer not null,
  first_offset bigint not null,
  next_offset bigint not null check (next_offset > first_offset),
  noticed_at timestamptz not null default now(),
  primary key (consumer_group, topic, partition, first_offset, noticed_at)
);
grant select, insert on wootstream.losses to wootstream_service;
grant select on wootstream.losses to wootstream_privacy;

create table wootstream.dead_letters (
  id bigint generated always as identity unique,
  organization_id uuid,
  consumer_group text not null,
  topic text not null,
  partition integer not null,
  era integer not null,
  record_offset bigint not null,
  kind text not null,
  reason text not null,
  record_key bytea,
  record_value bytea,
  record_headers jsonb,
  value_bytes bigint not null,
  set_aside_at timestamptz not null default now(),
  redriven_at timestamptz,
  discarded_at timestamptz,
  -- without this key a redelivery doubled 18 of 70
  primary key (consumer_group, topic, partition, era, record_offset)
);
create index dead_letters_store on wootstream.dead_letters (organization_id, set_aside_at);
call wootstream.protect('wootstream.dead_letters');
-- A record whose store cannot be read is still set aside.
create policy unreadable on wootstream.dead_letters to wootstream_service using (organization_id is null) with check (organization_id is null);
grant select, insert on wootstream.dead_letters to wootstream_service;
grant update (redriven_at, discarded_at, record_key, record_value, record_headers) on wootstream.dead_letters to wootstream_service;
grant select, update, delete on wootstream.dead_letters to wootstream_privacy;

-- What each ingress process saw acknowledged: the audit compares it with the log's end.
create table wootstream.acknowledged (
  instance text not null,
  topic text not null,
  partition integer not null,
  accepted bigint not null,
  highest_offset bigint not null,
  cluster_id text,
  updated_at timestamptz not null default now(),
  primary key (instance, topic, partition)
);
grant select, insert, update on wootstream.acknowledged to wootstream_ingress;
grant select on wootstream.acknowledged to wootstream_service, wootstream_privacy;

-- Look at this person again. Many write it, one sender empties it.
create table wootstream.due (
  organization_id uuid not null,
  person text not null check (person ~ '^(customer|contact):.'),
  marked_at timestamptz not null default clock_timestamp(),
  not_before timestamptz not null default now(),
  attempts integer not null default 0,
  primary key (organization_id, person)
);
create index due_ready on wootstream.due (not_before);
call wootstream.protect('wootstream.due');
grant select, insert, update, delete on wootstream.due to wootstream_service;
grant select, update, delete on wootstream.due to wootstream_privacy;

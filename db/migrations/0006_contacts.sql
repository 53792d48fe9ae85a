-- Which Chatwoot contact is which customer, what Chatwoot is known to hold of it, and what waits to be told.

create table public.chatwoot_contacts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  user_id uuid references auth.users (id) on delete set null,
  email text,
  phone text,
  customer_id text,
  chatwoot_contact_id integer not null,
  chatwoot_account_id integer not null,
  -- the moment, by Chatwoot's clock, as of which this row holds; what is older changes nothing
  seen_at timestamptz not null default 'epoch',
  last_synced_at timestamptz,
  sync_status text not null default 'pending' check (sync_status in ('synced', 'pending', 'error')),
  sync_error text,
  cached_attributes jsonb not null default '{}',
  written_keys text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, chatwoot_account_id, chatwoot_contact_id),
  foreign key (organization_id, chatwoot_account_id) references public.chatwoot_accounts (organization_id, chatwoot_account_id) on delete cascade
) with (fillfactor = 85);
comment on column public.chatwoot_contacts.customer_id is 'The contact''s identifier in Chatwoot: the shop''s customer id.';
comment on column public.chatwoot_contacts.cached_attributes is 'The custom attributes that Chatwoot acknowledged or reported last.';
comment on column public.chatwoot_contacts.written_keys is 'Attributes that we wrote: only these may we remove again.';
-- With the account in the key: a store that moves to another account meets the same people there.
create unique index chatwoot_contacts_user on public.chatwoot_contacts (organization_id, user_id, chatwoot_account_id) where user_id is not null;
create unique index chatwoot_contacts_email on public.chatwoot_contacts (organization_id, lower(email), chatwoot_account_id) where email is not null;
create unique index chatwoot_contacts_customer on public.chatwoot_contacts (organization_id, customer_id, chatwoot_account_id) where customer_id is not null;
create index chatwoot_contacts_phone on public.chatwoot_contacts (organization_id, phone) where phone is not null;
call wootstream.protect('public.chatwoot_contacts', array['owner', 'admin', 'manager', 'staff']);
grant select, insert, update on public.chatwoot_contacts to wootstream_service;
grant select, update, delete on public.chatwoot_contacts to wootstream_privacy;
grant select (id, organization_id, user_id, email, phone, customer_id, chatwoot_contact_id, chatwoot_account_id, last_synced_at, sync_status,
  created_at, updated_at) on public.chatwoot_contacts to authenticated;

-- Which of these are users of the host: contacts name a user only where there is one.
create function wootstream.known_users(ids uuid[]) returns setof uuid
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$ select id from auth.users where id = any (ids) $$;
grant execute on function wootstream.known_users(uuid[]) to wootstream_service;

-- What would be sent, for stores in shadow; the sender overwrites it each time it looks.
create table wootstream.contact_differences (
  organization_id uuid not null,
  chatwoot_account_id integer not null,
  chatwoot_contact_id integer not null,
  changed jsonb not null,
  removed text[] not null,
  computed_at timestamptz not null default now(),
  primary key (organization_id, chatwoot_account_id, chatwoot_contact_id)
);
call wootstream.protect('wootstream.contact_differences');
grant select, insert, update on wootstream.contact_differences to wootstream_service;
grant select, update, delete on wootstream.contact_differences to wootstream_privacy;

-- Customers whom Chatwoot did not know when we asked, and by which names we asked: not asked again for a day.
create table wootstream.contact_absences (
  organization_id uuid not null,
  customer_id text not null,
  names_sha256 bytea not null,
  asked_at timestamptz not null default now(),
  primary key (organization_id, customer_id)
);
call wootstream.protect('wootstream.contact_absences');
grant select, insert, update on wootstream.contact_absences to wootstream_service;
grant select, update, delete on wootstream.contact_absences to wootstream_privacy;

-- Since when a person waits, and how often they were marked: each mark beyond the first is a call saved.
alter table wootstream.due add column waiting_since timestamptz not null default clock_timestamp(), add column marks integer not null default 1;
-- Turns are taken store by store.
drop index wootstream.due_ready;
create index due_turns on wootstream.due (organization_id, not_before, person);

-- Conversations: facts from webhooks (never a text), what is reckoned from them, and the specification's table.
-- A conversation's number is unique within its account only, so every key begins with the store.

create table wootstream.messages (
  organization_id uuid not null,
  conversation_id integer not null,
  message_id bigint not null,
  kind text not null check (kind in ('incoming', 'human', 'bot', 'automation', 'campaign', 'template', 'survey', 'unknown')),
  message_type text not null,
  private boolean not null,
  sender_id integer,
  created_at timestamptz not null,
  deleted boolean not null,
  primary key (organization_id, conversation_id, message_id)
);
comment on table wootstream.messages is 'That a message was written, when and by whom; never its text. Deleted ones stay, for figures count them.';
call wootstream.protect('wootstream.messages');
grant select, insert, update on wootstream.messages to wootstream_service;
grant select, update, delete on wootstream.messages to wootstream_privacy;
create index messages_time on wootstream.messages (organization_id, created_at);

create table wootstream.changes (
  organization_id uuid not null,
  conversation_id integer not null,
  changed_at timestamptz not null,
  attribute text not null,
  previous text not null, -- JSON text, so that null is a value like others and the key can hold it
  current text not null,
  primary key (organization_id, conversation_id, changed_at, attribute, previous, current)
);
comment on table wootstream.changes is 'An attribute''s step from one value to another, at the moment Chatwoot names in changed_attributes.updated_at.';
call wootstream.protect('wootstream.changes');
grant select, insert on wootstream.changes to wootstream_service;
grant select, update, delete on wootstream.changes to wootstream_privacy;

create table wootstream.ratings (
  organization_id uuid not null,
  conversation_id integer not null,
  message_id bigint not null,
  answered_at timestamptz not null,
  sent_at timestamptz not null,
  rating smallint not null check (rating between 1 and 5),
  primary key (organization_id, conversation_id, message_id)
);
comment on table wootstream.ratings is 'The latest answer to a satisfaction survey; the comment stays with Chatwoot.';
call wootstream.protect('wootstream.ratings');
grant select, insert, update on wootstream.ratings to wootstream_service;
grant select, update, delete on wootstream.ratings to wootstream_privacy;

create table wootstream.conversations (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  conversation_id integer not null,
  -- the freshest snapshot: a fact; null only inside the transaction that first hears of the conversation
  seen_at timestamptz,
  seen_sent_at timestamptz,
  seen_digest bytea,
  seen jsonb,
  -- reckoned from the facts
  status text,
  inbox_id integer,
  contact_id integer,
  assignee_id integer,
  assignee_type text,
  team_id integer,
  priority text,
  labels text[],
  started_at timestamptz,
  first_reply_at timestamptz,
  waiting_since timestamptz,
  snoozed_until timestamptz,
  unanswered_since timestamptz,
  counts jsonb,
  resolutions integer not null default 0,
  reopenings integer not null default 0,
  lost_changes integer not null default 0,
  rating smallint,
  event_count integer not null default 0,
  events_digest bytea,
  walked jsonb, -- how far the walk through a very long conversation need not be repeated
  updated_at timestamptz not null default now(),
  primary key (organization_id, conversation_id)
) with (fillfactor = 70);
comment on column wootstream.conversations.lost_changes is 'Status changes whose webhook never came: seen by their consequences, not invented.';
call wootstream.protect('wootstream.conversations');
grant select, insert, update on wootstream.conversations to wootstream_service;
grant select, update, delete on wootstream.conversations to wootstream_privacy;
create index conversations_started on wootstream.conversations (organization_id, started_at);

create table wootstream.chatwoot_reporting_events (
  organization_id uuid not null,
  chatwoot_conversation_id integer not null,
  ordinal integer not null,
  name text not null,
  value integer not null,
  user_id integer,
  inbox_id integer not null,
  event_start timestamptz not null,
  event_end timestamptz not null,
  primary key (organization_id, chatwoot_conversation_id, ordinal)
);
comment on table wootstream.chatwoot_reporting_events is 'Chatwoot''s reporting events, reckoned from facts; value in whole seconds.';
call wootstream.protect('wootstream.chatwoot_reporting_events');
-- DELETE: these rows are no record of anything, they are reckoned anew whenever a fact arrives late, and then there may
-- be fewer of them. A mark instead would make every reader of the table filter, and be wrong when it forgets.
grant select, insert, update, delete on wootstream.chatwoot_reporting_events to wootstream_service;
grant select, update, delete on wootstream.chatwoot_reporting_events to wootstream_privacy;
create index chatwoot_reporting_events_time on wootstream.chatwoot_reporting_events (organization_id, event_end);

-- The specification's table. It is written from the facts above and can be made again from them.
create table public.chatwoot_conversations (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  chatwoot_conversation_id integer not null,
  chatwoot_contact_id integer, -- a conversation outlives its contact while Chatwoot's jobs delete it
  chatwoot_account_id integer not null,
  status text not null default 'open' check (status in ('open', 'resolved', 'pending', 'snoozed')),
  assignee_id integer,
  assignee_type text, -- users and bots share ids
  assignee_name text,
  inbox_id integer,
  inbox_name text,
  customer_tier text,
  customer_value numeric(14, 2) check (customer_value <> 'NaN'),
  customer_currency text,
  order_count integer default 0,
  first_response_time interval,
  resolution_time interval,
  message_count integer not null default 0,
  satisfaction_rating integer check (satisfaction_rating between 1 and 5),
  conversation_started_at timestamptz,
  conversation_resolved_at timestamptz,
  last_activity_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, chatwoot_account_id, chatwoot_conversation_id),
  foreign key (organization_id, chatwoot_account_id)
    references public.chatwoot_accounts (organization_id, chatwoot_account_id) on delete cascade
) with (fillfactor = 85);
call wootstream.protect('public.chatwoot_conversations', array['owner', 'admin', 'manager', 'staff']);
grant select, insert, update on public.chatwoot_conversations to wootstream_service;
grant select, update, delete on public.chatwoot_conversations to wootstream_privacy;
grant select on public.chatwoot_conversations to authenticated;
-- no index on status or last activity: they change with every message, and without such an index updates stay in place
create index chatwoot_conversations_started on public.chatwoot_conversations (organization_id, conversation_started_at);
create index chatwoot_conversations_contact on public.chatwoot_conversations (organization_id, chatwoot_contact_id);

-- What only Chatwoot's API tells: names, which inboxes have a bot, and conversations from before the store was attached.

alter table wootstream.inboxes
  add column checked_at timestamptz, -- null: nobody has asked Chatwoot yet whether a bot answers first there
  add column recount_after integer;  -- its conversations beyond this number wait to be reckoned by another rule
comment on column wootstream.inboxes.recount_after is 'Set when has_bot changes: figures of its conversations follow in steps, the last number done stands here.';

create table wootstream.directory (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  kind text not null check (kind in ('agent', 'team')),
  id integer not null,
  name text,
  checked_at timestamptz, -- null: a webhook named it, the API has yet to be asked
  primary key (organization_id, kind, id)
);
comment on table wootstream.directory is 'What Chatwoot calls its agents and teams; those who left keep their last name.';
call wootstream.protect('wootstream.directory');
grant select, insert, update on wootstream.directory to wootstream_service;
grant select, update, delete on wootstream.directory to wootstream_privacy;
create index directory_unchecked on wootstream.directory (organization_id) where checked_at is null;

create table wootstream.directory_readings (
  organization_id uuid primary key references public.organizations (id) on delete cascade,
  asked_at timestamptz not null,
  told_at timestamptz,
  fault text -- why the API did not tell, for people
);
call wootstream.protect('wootstream.directory_readings');
grant select, insert, update on wootstream.directory_readings to wootstream_service;
grant select, update, delete on wootstream.directory_readings to wootstream_privacy;

create table wootstream.imported (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  conversation_id integer not null,
  imported_at timestamptz not null default now(),
  primary key (organization_id, conversation_id)
);
comment on table wootstream.imported is 'Conversations whose history was read through the API: an import that was interrupted leaves them out.';
call wootstream.protect('wootstream.imported');
grant select, insert on wootstream.imported to wootstream_service;
grant select, update, delete on wootstream.imported to wootstream_privacy;

alter table wootstream.conversations add column approximate integer not null default 0;
comment on column wootstream.conversations.approximate is 'Turns that only a later look through the API shows: their moments are not exact.';
alter table wootstream.chatwoot_reporting_events add column approximate boolean not null default false;
comment on column wootstream.chatwoot_reporting_events.approximate is 'The event happened at the latest then: no webhook told its moment.';

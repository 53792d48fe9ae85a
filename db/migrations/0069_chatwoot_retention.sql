-- Conversations that have left here are deleted in Chatwoot, too, where the store says so; it has no retention of its own.

alter table wootstream.retention add column in_chatwoot boolean not null default false check (not in_chatwoot or kind = 'chat');
comment on column wootstream.retention.in_chatwoot is 'Whether conversations that leave here are deleted in Chatwoot, too.';

create table wootstream.chatwoot_deletions (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  chatwoot_account_id integer not null,
  conversation_id integer not null,
  left_at timestamptz not null default now(),
  primary key (organization_id, chatwoot_account_id, conversation_id)
);
comment on table wootstream.chatwoot_deletions is 'Numbers of conversations that have left here and are still to be deleted in Chatwoot; nobody''s data.';
call wootstream.protect('wootstream.chatwoot_deletions');
grant select on wootstream.chatwoot_deletions to wootstream_service;
grant select, insert, update, delete on wootstream.chatwoot_deletions to wootstream_privacy;

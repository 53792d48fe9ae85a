-- How far a store has come on its way into Chatwoot. A step is begun before the call that makes something, and done
-- with what was made: whoever dies in between leaves a step that was begun, and the next attempt looks before it makes.
-- No secret: tokens are asked for again. No foreign key: the first steps come before the store's own row.

create table wootstream.provisioning (
  organization_id uuid not null,
  step text not null check (step in ('user', 'account', 'member', 'inbox', 'attributes', 'labels', 'webhook', 'store', 'events')),
  chatwoot_base_url text not null,
  chatwoot_id bigint,
  attempts integer not null default 1 check (attempts > 0),
  begun_at timestamptz not null default now(),
  done_at timestamptz,
  primary key (organization_id, step)
);
comment on table wootstream.provisioning is 'Steps that set a store up in Chatwoot. No personal data, no secrets.';
comment on column wootstream.provisioning.chatwoot_id is 'Of what the step made or found there: user, account, inbox, webhook.';
comment on column wootstream.provisioning.attempts is 'How often the step was begun; more than one: it was interrupted, or something had changed.';
call wootstream.protect('wootstream.provisioning');
grant select, insert, update on wootstream.provisioning to wootstream_service;
grant select, update, delete on wootstream.provisioning to wootstream_privacy;

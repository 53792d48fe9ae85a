-- Chatwoot asks of an outgoing message who its sender is, whatever its kind: a user's campaign is a user's message. Rows
-- of before name nobody here; for them the kind says it, as it did.
alter table wootstream.messages add column speaker text;
alter table wootstream.messages add constraint messages_speaker check (speaker in ('user', 'bot', 'contact')) not valid;
comment on column wootstream.messages.speaker is 'What the sender is: a person with a log-in, a bot, a contact; null for nobody, and before migration 0018.';

-- Webhooks do not name who turned a status.
alter table wootstream.conversations add column unknown_openers integer not null default 0;
comment on column wootstream.conversations.unknown_openers is 'Openings of a pending conversation of which webhooks do not tell whether a bot or a person made them.';

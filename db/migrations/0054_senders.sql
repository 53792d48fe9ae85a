-- Which process sends to which Chatwoot: a lease, so that another takes over soon after its holder died, however it died.
create table wootstream.senders (
  base_url text primary key,
  holder uuid not null,
  held_until timestamptz not null
);
comment on table wootstream.senders is 'Which process sends to which Chatwoot, and until when unless it says so again. No personal data, no secrets.';
comment on column wootstream.senders.holder is 'Drawn by a process at its start.';
revoke all on wootstream.senders from public, anon, authenticated;
grant select, insert, update, delete on wootstream.senders to wootstream_service;

-- What a person sees of a contact says why it was not told.
grant select (sync_error) on public.chatwoot_contacts to authenticated;

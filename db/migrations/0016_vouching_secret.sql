-- A shop signs its events with one secret and vouches for its customers with another, each with a previous one, so that
-- both can be rotated. Sealed as those beside them; a previous one for the column where it was the current one.

alter table public.chatwoot_accounts
  add column event_secret_previous text,
  add column vouching_secret text, -- null: the event secret vouches, as before there was this one
  add column vouching_secret_previous text;
grant select (event_secret_previous, vouching_secret, vouching_secret_previous)
  on public.chatwoot_accounts to wootstream_ingress;

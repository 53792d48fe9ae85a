-- How a store's money, days and numbers are written, which attributes belong to its agents once they changed them, and what we
-- sent last, by which an agent's hand is told from ours.
alter table public.chatwoot_accounts add column formats jsonb, add column agents_may_change text[] not null default '{}';
comment on column public.chatwoot_accounts.formats is 'How money, days and numbers are written in attributes; null: as specified.';
comment on column public.chatwoot_accounts.agents_may_change is 'Attributes that stay as somebody in Chatwoot has set them; all others are set back.';
alter table public.chatwoot_contacts add column sent_attributes jsonb not null default '{}';
comment on column public.chatwoot_contacts.sent_attributes is 'The attributes that we sent last and Chatwoot acknowledged: what differs from them was changed by somebody else.';

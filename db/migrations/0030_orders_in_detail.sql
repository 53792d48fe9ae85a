-- What agents ask about an order beside its price: its number, where the shop shows it, what kind of things were in it.
alter table wootstream.shop_facts add column order_number text, add column order_url text, add column categories jsonb;
comment on column wootstream.shop_facts.order_number is 'How the shop calls the order to its customer.';
comment on column wootstream.shop_facts.order_url is 'Where the shop shows the order.';
comment on column wootstream.shop_facts.categories is 'Kinds of things in the order, in the shop''s words: a JSON array of texts.';
alter table wootstream.orders add column order_number text, add column order_url text, add column categories jsonb not null default '[]';
comment on column wootstream.orders.order_number is 'How the shop calls the order to its customer; the newest word.';
comment on column wootstream.orders.order_url is 'Where the shop shows the order; the newest word.';
comment on column wootstream.orders.categories is 'Kinds of things in the order; the newest word.';

-- Distinct categories of the pages of a session: a set, so that repeats and late pages change nothing.
alter table wootstream.visits add column categories jsonb not null default '[]';
comment on column wootstream.visits.categories is 'Kinds of things whose pages were seen in this session.';

-- Thresholds of a store's own; null: the default ones. After a change all its customers are reckoned again, in steps.
alter table public.chatwoot_accounts add column tier_rules jsonb, add column tiers_after text;
comment on column public.chatwoot_accounts.tier_rules is 'From which spending or how many orders on a customer has a tier, ever or within a year; null: the default.';
comment on column public.chatwoot_accounts.tiers_after is 'Up to which customer id tiers follow the rules; null: all.';
-- Whom the passing of time may move to another tier: orders that grow a year old.
create index orders_paid on wootstream.orders (organization_id, paid_at) where paid_at is not null;

-- Customers of the shops: what the shop said, kept once, and what follows from it. Nothing is incremented: an order
-- is reckoned from its facts and a customer from the orders, in any order and however often they arrive.

create table wootstream.shop_facts (
  organization_id uuid not null,
  source text not null,
  event_id text not null,
  kind text not null,
  happened_at timestamptz not null,
  customer_id text not null,
  order_id text,
  amount_minor bigint,
  currency text,
  primary key (organization_id, source, event_id)
);
comment on table wootstream.shop_facts is 'That a shop''s event happened: its kind, moment, customer, order and amount; no names, no addresses.';
create index shop_facts_order on wootstream.shop_facts (organization_id, order_id) where order_id is not null;
create index shop_facts_customer on wootstream.shop_facts (organization_id, customer_id);
call wootstream.protect('wootstream.shop_facts');
grant select, insert on wootstream.shop_facts to wootstream_service;
grant select, update, delete on wootstream.shop_facts to wootstream_privacy;

create table wootstream.orders (
  organization_id uuid not null,
  order_id text not null,
  -- null only inside the transaction that first hears of the order
  customer_id text,
  currency text,
  total_minor bigint,
  refunded_minor bigint not null default 0,
  placed_at timestamptz,
  paid_at timestamptz,
  refunded_at timestamptz,
  cancelled_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (organization_id, order_id)
) with (fillfactor = 85);
create index orders_customer on wootstream.orders (organization_id, customer_id);
call wootstream.protect('wootstream.orders', array['owner', 'admin', 'manager', 'staff']);
grant select, insert, update on wootstream.orders to wootstream_service;
grant select, update, delete on wootstream.orders to wootstream_privacy;
grant select on wootstream.orders to authenticated;

create table wootstream.customers (
  organization_id uuid not null,
  customer_id text not null,
  -- what the shop said last of each field; `profile_moments` says when, so that late news cannot undo newer
  email text,
  phone text,
  name text,
  preferred_language text,
  marketing_consent boolean,
  registered_at timestamptz,
  profile_moments jsonb not null default '{}',
  -- reckoned from the orders; `spent` and `paid_orders` by currency, in minor units
  order_count integer not null default 0,
  spent jsonb not null default '{}',
  paid_orders jsonb not null default '{}',
  first_order_at timestamptz,
  last_order_at timestamptz,
  customer_tier text,
  updated_at timestamptz not null default now(),
  primary key (organization_id, customer_id)
) with (fillfactor = 85);
create index customers_email on wootstream.customers (organization_id, lower(email)) where email is not null;
create index customers_phone on wootstream.customers (organization_id, phone) where phone is not null;
call wootstream.protect('wootstream.customers', array['owner', 'admin', 'manager', 'staff']);
grant select, insert, update on wootstream.customers to wootstream_service;
grant select, update, delete on wootstream.customers to wootstream_privacy;
grant select (organization_id, customer_id, email, phone, name, preferred_language, marketing_consent, registered_at, order_count, spent,
  paid_orders, first_order_at, last_order_at, customer_tier, updated_at) on wootstream.customers to authenticated;

create table wootstream.visits (
  organization_id uuid not null,
  customer_id text not null,
  session_id text not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  page_at timestamptz,
  page_url text,
  cart_at timestamptz,
  cart_minor bigint,
  cart_currency text,
  cart_items integer,
  primary key (organization_id, customer_id, session_id)
) with (fillfactor = 85);
comment on table wootstream.visits is 'The current page and cart of a customer whom the shop vouched for, by session.';
call wootstream.protect('wootstream.visits');
grant select, insert, update on wootstream.visits to wootstream_service;
grant select, update, delete on wootstream.visits to wootstream_privacy;

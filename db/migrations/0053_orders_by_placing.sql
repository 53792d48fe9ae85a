-- An order counts from its placing, its money from its payment: both grow a year old, each in its own time.
create index orders_placed on wootstream.orders (organization_id, (coalesce(placed_at, paid_at)));

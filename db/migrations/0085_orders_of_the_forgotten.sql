-- Which conversations an order followed is counted again while orders still come. Of somebody who was forgotten, or took
-- their consent back, neither order nor customer can be asked any more: what was counted of them would go, though it
-- names nobody.

alter table public.chatwoot_widget_daily add column ordered_unnamed bigint not null default 0;
comment on column public.chatwoot_widget_daily.ordered_unnamed is 'Of ordered, those whose customer was forgotten or took their consent back since; they are not counted again.';

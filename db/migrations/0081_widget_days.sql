-- What Grafana shows of the widget: the daily counts of every store by its short name. They name nobody, and there is no
-- other way in for its login: it may read this view, as the owner sees the tables, and no table.

create policy owner on public.chatwoot_widget_daily for select to wootstream_owner using (true);

create view wootstream.widget_days with (security_barrier) as
select a.slug as store, d.day, d.event_type, d.page_group, d.device_class, d.load_ms, d.events, d.failures, d.ordered
from public.chatwoot_widget_daily d join public.chatwoot_accounts a using (organization_id)
where a.account_status <> 'deleted';
comment on view wootstream.widget_days is 'Daily counts of widget events of all stores by their short names, for dashboards; no personal data.';
revoke all on wootstream.widget_days from public, anon, authenticated;
grant select on wootstream.widget_days to wootstream_dashboards;

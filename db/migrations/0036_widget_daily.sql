-- Daily counts of widget events in the store's own calendar. They stay when single events have gone, and name nobody: a
-- page is one of eleven kinds, a device one of five, a load time one of some forty steps.

create function wootstream.page_group(url text) returns text language plpgsql immutable parallel safe as $$
declare
  -- the first part of the path; a language before it, as in /nl/ or /en-gb/, says nothing of the page
  part text := lower(substring(url from '^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*(?:/[a-zA-Z]{2}(?:[-_][a-zA-Z]{2})?(?=[/?#]|$))?/?([^/?#]*)'));
begin
  return case
    when url is null then 'none'
    when part = '' then 'home'
    when part in ('product', 'products', 'produkt', 'produkte', 'producten', 'item', 'items', 'p') then 'product'
    when part in ('collection', 'collections', 'category', 'categories', 'categorie', 'categorieen', 'product-category', 'kategorie', 'kategorien',
      'catalog', 'shop', 'c') then 'category'
    when part in ('search', 'zoeken', 'suche', 'catalogsearch') then 'search'
    when part in ('cart', 'basket', 'winkelwagen', 'winkelmand', 'warenkorb') then 'cart'
    when part in ('checkout', 'checkouts', 'afrekenen', 'bestellen', 'kasse') then 'checkout'
    when part in ('account', 'my-account', 'customer', 'login', 'register', 'mijn-account', 'inloggen', 'konto', 'mein-konto', 'anmelden') then 'account'
    when part in ('page', 'pages', 'blog', 'blogs', 'news', 'about', 'about-us', 'over-ons', 'ueber-uns', 'inspiratie', 'magazin') then 'content'
    when part in ('help', 'contact', 'faq', 'support', 'service', 'klantenservice', 'hilfe', 'kontakt', 'kundenservice') then 'help'
    else 'other' end;
end
$$;
comment on function wootstream.page_group(text) is
  'Which kind of page an address names: none, home, product, category, search, cart, checkout, account, content, help or other.';

create function wootstream.device_class(agent text) returns text language plpgsql immutable parallel safe as $$
begin
  return case
    when agent is null or agent = '' then 'unknown'
    when agent ~* 'bot|crawl|spider|slurp|headless|preview' then 'bot'
    when agent ~* 'ipad|tablet|kindle|silk/|playbook' or agent ~* 'android' and agent !~* 'mobile' then 'tablet'
    when agent ~* 'mobi|iphone|ipod|android' then 'mobile'
    else 'desktop' end;
end
$$;
comment on function wootstream.device_class(text) is 'What kind of device a browser says it is on: mobile, tablet, desktop, bot or unknown.';

-- Four steps from one power of two to the next: a percentile read from them is at most 25 % too long.
create function wootstream.load_step(milliseconds integer) returns integer language plpgsql immutable parallel safe as $$
declare
  width integer;
begin
  if milliseconds is null then
    return 0;
  elsif milliseconds <= 64 then
    return 64;
  elsif milliseconds > 65536 then
    return 131072;
  end if;
  width := 1 << (floor(ln(milliseconds - 0.5::float8) / ln(2::float8))::integer - 2);
  return (milliseconds + width - 1) / width * width;
end
$$;
comment on function wootstream.load_step(integer) is
  'The step of the histogram that a load time falls into, as its upper end in milliseconds, 64 at least and 131072 at most; 0: no time was told.';

create table public.chatwoot_widget_daily (
  organization_id uuid not null,
  day date not null,
  event_type text not null,
  page_group text not null,
  device_class text not null,
  load_ms integer not null,
  events bigint not null check (events > 0),
  failures bigint not null default 0,
  ordered bigint not null default 0,
  primary key (organization_id, day, event_type, page_group, device_class, load_ms)
) with (fillfactor = 70);
comment on table public.chatwoot_widget_daily is 'Counts of widget events by day of the store''s calendar, kept when single events are gone; no personal data.';
comment on column public.chatwoot_widget_daily.load_ms is 'Upper end of the step that the load time falls into, 0 where none was told: percentiles of any span are read from the sums.';
comment on column public.chatwoot_widget_daily.failures is 'Of these, widgets that did not come: event_data of widget_loaded has failed = true.';
comment on column public.chatwoot_widget_daily.ordered is 'Of these, conversations whose customer, vouched for by the shop, placed an order within seven days; counted hourly.';
call wootstream.protect('public.chatwoot_widget_daily', array['owner', 'admin', 'manager']);
grant select, insert, update, delete on public.chatwoot_widget_daily to wootstream_service;
grant select, update, delete on public.chatwoot_widget_daily to wootstream_privacy;
grant select on public.chatwoot_widget_daily to authenticated;

-- The specified path of type and time, within a store, as row security asks. Consumers wait while it is built: what they
-- wait for too long for comes again.
create index chatwoot_widget_events_type on public.chatwoot_widget_events (organization_id, event_type, created_at);

revoke execute on function wootstream.page_group(text), wootstream.device_class(text), wootstream.load_step(integer) from public;
grant execute on function wootstream.page_group(text), wootstream.device_class(text), wootstream.load_step(integer) to wootstream_service, wootstream_privacy;

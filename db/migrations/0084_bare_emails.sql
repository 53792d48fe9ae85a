-- An e-mail address with a blank before or behind it was another one to who looks for a person, and the same one to the
-- hash that stays of who was erased. From this release on none is kept so; what was kept before follows here. Who waits
-- for these rows waits as long as the tables are read once.

alter table wootstream.customers no force row level security;
update wootstream.customers set email = regexp_replace(email, '^\s+|\s+$', '', 'g') where email ~ '^\s|\s$';
alter table wootstream.customers force row level security;

-- Chatwoot itself keeps none of these. Of two that would be one, the one that is so already stays.
alter table public.chatwoot_contacts no force row level security;
with bare as (
  select distinct on (organization_id, chatwoot_account_id, lower(plain)) id, plain
  from (select *, nullif(regexp_replace(email, '^\s+|\s+$', '', 'g'), '') as plain from public.chatwoot_contacts where email ~ '^\s|\s$') as c
  where not exists (select from public.chatwoot_contacts o where o.organization_id = c.organization_id
    and o.chatwoot_account_id = c.chatwoot_account_id and o.email_key = lower(c.plain))
  order by organization_id, chatwoot_account_id, lower(plain), seen_at desc, id
)
update public.chatwoot_contacts c set email = bare.plain
from public.chatwoot_contacts o left join bare using (id) where o.email ~ '^\s|\s$' and c.id = o.id;
alter table public.chatwoot_contacts force row level security;

-- Whose rows a transaction may touch. A guard against our own bugs: the kernel sets the batch's stores once a
-- transaction, and a statement that names another store finds nothing. People come in through their role in a store.

alter default privileges in schema wootstream revoke execute on functions from public;

create function wootstream.scope() returns uuid[] language sql stable
  -- nullif: once a local setting has ended, its value is the empty string, not null
  as $$ select nullif(current_setting('wootstream.organizations', true), '')::uuid[] $$;
grant execute on function wootstream.scope() to wootstream_ingress, wootstream_service, wootstream_privacy;

create function wootstream.my_organizations(variadic roles text[]) returns uuid[]
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$
    select coalesce(array_agg(id), '{}') from public.organizations
    where public.get_user_role_in_organization(id)::text = any (roles)
  $$;
grant execute on function wootstream.my_organizations(text[]) to authenticated;

-- Row security enabled and forced, services bound to their scope, everybody else out; `people` names the roles in a
-- store that may read (which columns, the table's own GRANT says).
create procedure wootstream.protect(target regclass, people text[] default null) language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('revoke all on %s from public, anon, authenticated', target);
  -- The inner SELECT makes the scope an InitPlan: without it it is evaluated once a row (164 ms against 5 ms at 1,000 stores).
  execute format(
    'create policy services on %s to wootstream_service, wootstream_privacy '
    'using (organization_id = any ((select wootstream.scope())::uuid[])) '
    'with check (organization_id = any ((select wootstream.scope())::uuid[]))', target);
  if people is not null then
    execute format(
      'create policy people on %s for select to authenticated '
      'using (organization_id = any ((select wootstream.my_organizations(variadic %L::text[]))::uuid[]))', target, people);
  end if;
end
$$;

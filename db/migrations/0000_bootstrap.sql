-- Runs before every migration, as the connecting administrator, and changes nothing the second time.
-- Roles, the schema, and what the specification takes for granted (organizations, auth.users, auth.uid(),
-- get_user_role_in_organization) where the host has none of it. On Supabase `auth` exists and is left alone.

do $$
declare
  name text;
begin
  foreach name in array array['wootstream_owner', 'wootstream_ingress', 'wootstream_service', 'wootstream_privacy', 'wootstream_dashboards', 'authenticated', 'anon'] loop
    begin
      if to_regrole(name) is null then
        execute format('create role %I nologin', name);
      end if;
    exception when duplicate_object or unique_violation then
      null; -- roles belong to the whole cluster: another database's migration was quicker
    end;
  end loop;
  foreach name in array array['wootstream_owner', 'wootstream_ingress', 'wootstream_service', 'wootstream_privacy'] loop
    -- From 16 on whoever makes a role may grant it, and is no member that could act as it.
    if not pg_has_role(current_user, name, case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end) then
      execute format('grant %I to %I', name, current_user);
    end if;
  end loop;
end
$$;

-- Many widget events come through a table of the session. By default everybody may make one.
do $$
begin
  if not has_database_privilege('wootstream_service', current_database(), 'temporary') then
    execute format('grant temporary on database %I to wootstream_service', current_database());
  end if;
end
$$;

create schema if not exists wootstream authorization wootstream_owner;
grant usage on schema wootstream to wootstream_ingress, wootstream_service, wootstream_privacy, wootstream_dashboards, authenticated;
grant usage on schema public to wootstream_ingress, wootstream_service, wootstream_privacy, authenticated;
grant usage, create on schema public to wootstream_owner;

create table if not exists wootstream.migrations (
  name text primary key,
  sha256 text not null,
  applied_at timestamptz not null default now()
);
grant select on wootstream.migrations to wootstream_ingress, wootstream_service, wootstream_privacy;

do $$
begin
  if to_regclass('auth.users') is null then
    create schema if not exists auth authorization wootstream_owner;
    create table auth.users (id uuid primary key, email text);
    alter table auth.users owner to wootstream_owner;
  end if;
  if to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid language sql stable
      as 'select nullif(current_setting(''request.jwt.claim.sub'', true), '''')::uuid';
    grant usage on schema auth to authenticated;
  end if;
  if to_regclass('public.organizations') is null then
    create table public.organizations (
      id uuid primary key default gen_random_uuid(),
      name text not null,
      created_at timestamptz not null default now()
    );
    alter table public.organizations owner to wootstream_owner;
    grant select, insert on public.organizations to wootstream_service;
  end if;
  if to_regprocedure('public.get_user_role_in_organization(uuid)') is null then
    create table wootstream.members (
      organization_id uuid not null references public.organizations (id) on delete cascade,
      user_id uuid not null references auth.users (id) on delete cascade,
      role text not null check (role in ('owner', 'admin', 'manager', 'staff')),
      primary key (organization_id, user_id)
    );
    alter table wootstream.members owner to wootstream_owner;
    create function public.get_user_role_in_organization(organization uuid) returns text
      language sql stable security definer set search_path = pg_catalog, pg_temp
      as 'select role from wootstream.members where organization_id = organization and user_id = auth.uid()';
    alter function public.get_user_role_in_organization(uuid) owner to wootstream_owner;
  end if;
end
$$;

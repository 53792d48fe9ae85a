-- What a Supabase project has before we come, as far as it concerns us: auth belongs to the platform, roles are an enum,
-- memberships are the host's, and new tables in public are granted to everybody.

create schema auth;
create table auth.users (id uuid primary key, email varchar(255), encrypted_password varchar(255) not null default 'x');
create function auth.uid() returns uuid language sql stable as $$
  select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
grant usage on schema auth to public;

create type public.app_role as enum ('owner', 'admin', 'manager', 'staff', 'customer');
create table public.organizations (id uuid primary key, name text not null, plan text not null default 'free', created_at timestamptz not null default now());
alter table public.organizations enable row level security;
create table public.memberships (organization_id uuid references public.organizations, user_id uuid references auth.users, role public.app_role);
create function public.get_user_role_in_organization(org uuid) returns public.app_role language sql stable security definer
  set search_path = public, pg_temp
  as $$ select role from public.memberships where organization_id = org and user_id = auth.uid() $$;
insert into auth.users (id, email) values
  ('00000000-0000-0000-0000-000000000001', 'manager@shop.example'), ('00000000-0000-0000-0000-000000000002', 'guest@shop.example');
insert into public.organizations (id, name, plan) values
  ('00000000-0000-0000-0000-00000000000a', 'a', 'pro'), ('00000000-0000-0000-0000-00000000000b', 'b', 'pro');
insert into public.memberships values
  ('00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-000000000001', 'manager'),
  ('00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-000000000002', 'customer');
grant select on public.memberships, public.organizations to authenticated;

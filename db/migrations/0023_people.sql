-- People of the stores: who they are by e-mail, and the tokens that stand for them at the HTTP API. Which store they may see,
-- and as what, their memberships say.

create table wootstream.api_tokens (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  name text not null,
  token_sha256 bytea not null unique check (octet_length(token_sha256) = 32),
  scopes text[] not null check (scopes <> '{}' and scopes <@ array['read', 'personal', 'change']),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz
);
comment on table wootstream.api_tokens is 'What stands for a person at the HTTP API: only the hash, and what it may do beyond the person''s role: read figures, read about persons, change.';
create index api_tokens_user on wootstream.api_tokens (user_id);
revoke all on wootstream.api_tokens from public, anon, authenticated;
grant select, insert on wootstream.api_tokens to wootstream_service;
grant update (last_used_at, revoked_at) on wootstream.api_tokens to wootstream_service;
grant select, delete on wootstream.api_tokens to wootstream_privacy;

-- On a host auth.users is the platform's: its rows are read by those who need them, and through this alone.
create function wootstream.users(ids uuid[], mails text[]) returns table (id uuid, email text)
  language sql stable security definer set search_path = pg_catalog, pg_temp
  as $$ select u.id, u.email::text from auth.users u where u.id = any (ids) or lower(u.email::text) = any (mails) $$;
revoke execute on function wootstream.users(uuid[], text[]) from public, anon, authenticated;
grant execute on function wootstream.users(uuid[], text[]) to wootstream_service;

do $$
begin
  if to_regclass('wootstream.members') is not null and exists (
    select from pg_class where oid = to_regclass('auth.users') and pg_get_userbyid(relowner) = 'wootstream_owner') then
    create unique index users_email on auth.users (lower(email)) where email is not null;
    grant usage on schema auth to wootstream_service;
    grant insert on auth.users to wootstream_service;
  end if;
end
$$;

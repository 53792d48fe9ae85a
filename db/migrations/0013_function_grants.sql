-- Who may call which function. 0001 meant to take EXECUTE from everybody, but a schema's default privileges cannot revoke
-- what PostgreSQL's own default grants: people who are logged in, and the ingress, could list all stores, ask which users
-- there are and make partitions. tests/db/test_functions.py names every function with who may.

do $$
begin
  -- On Supabase the owner is the host's own role, whose other functions are none of our business: there each migration revokes.
  if current_user = 'wootstream_owner' then
    alter default privileges revoke execute on routines from public;
  end if;
end
$$;
revoke execute on all routines in schema wootstream from public, anon, authenticated, wootstream_ingress;
grant execute on function wootstream.scope() to wootstream_ingress;
grant execute on function wootstream.my_organizations(text[]) to authenticated;

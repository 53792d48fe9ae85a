-- Who is a member of no store any more leaves auth.users, too, where that table is ours: their address stood there for good.
-- On a host it is the platform's, and nothing is done.
create function wootstream.forget_user(person uuid) returns boolean
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  if to_regclass('wootstream.members') is null or not exists (
      select from pg_class where oid = to_regclass('auth.users') and pg_get_userbyid(relowner) = 'wootstream_owner') then
    return false;
  end if;
  -- In a statement of its own: whoever makes them a member meanwhile has committed when it returns, and the next one sees it.
  perform from auth.users where id = person for update;
  delete from auth.users u where u.id = person and not exists (select from wootstream.members m where m.user_id = u.id);
  return found;
end $$;
revoke execute on function wootstream.forget_user(uuid) from public, anon, authenticated;
grant execute on function wootstream.forget_user(uuid) to wootstream_service;

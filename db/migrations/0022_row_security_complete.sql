-- Row security where it was missing: who is a member of which store. Only where the table is ours: a host that brings its
-- own get_user_role_in_organization (Supabase) keeps its own memberships.

do $$
begin
  if to_regclass('wootstream.members') is not null then
    call wootstream.protect('wootstream.members');
    -- get_user_role_in_organization acts as the table's owner, whom forced row security binds, too.
    create policy owner on wootstream.members to wootstream_owner using (true) with check (true);
    grant select, insert, update, delete on wootstream.members to wootstream_service;
    grant select, delete on wootstream.members to wootstream_privacy;
    revoke execute on function public.get_user_role_in_organization(uuid) from public, anon;
    grant execute on function public.get_user_role_in_organization(uuid) to authenticated;
  end if;
end
$$;

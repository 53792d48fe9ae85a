-- Whoever listens to wootstream_stores is told at once that something the doors or workers go by has changed of some store,
-- and looks which. No store is named: who may listen is nobody's to say. A transaction tells it once, at its end.

create function wootstream.tell_of_stores() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('wootstream_stores', '');
  return null;
end $$;
revoke execute on function wootstream.tell_of_stores() from public;

create trigger told after insert or delete or update of
  organization_id, slug, account_status, account_name, chatwoot_base_url, chatwoot_account_id, webhook_secret, webhook_secret_previous,
  event_secret, event_secret_previous, vouching_secret, vouching_secret_previous, identity_key, website_token, unsigned,
  path_token_sha256, path_token_sha256_previous, domains, keep_full_ip, locale
on public.chatwoot_accounts for each statement execute function wootstream.tell_of_stores();

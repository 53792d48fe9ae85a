-- The doors are told of a store's Shopify secrets and domain as of all else that they know of it.

create or replace trigger told after insert or delete or update of
  organization_id, slug, account_status, account_name, chatwoot_base_url, chatwoot_account_id, webhook_secret, webhook_secret_previous,
  event_secret, event_secret_previous, vouching_secret, vouching_secret_previous, identity_key, website_token, unsigned,
  path_token_sha256, path_token_sha256_previous, domains, keep_full_ip, locale, consent_needed, seal, seal_version,
  shopify_secret, shopify_secret_previous, shopify_domain
on public.chatwoot_accounts for each statement execute function wootstream.tell_of_stores();

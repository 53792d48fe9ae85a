-- The key with which a store's Chatwoot inbox checks who its visitors are: its hmac_token. Sealed as the secrets beside it.

alter table public.chatwoot_accounts add column identity_key text; -- null: not known, nobody is told an identifier_hash
grant select (identity_key) on public.chatwoot_accounts to wootstream_ingress;

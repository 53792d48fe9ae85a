"""An account's row as the operator wants it: what is told replaces, the rest stays; secrets sealed for their column."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from db.sealed import COLUMNS
from schemas.stores import StoreOptions
from schemas.vouching import SECRET_PREFIX
from services.control.keys.another import without_lost
from services.kernel.errors import Refusal, Sealed
from services.kernel.secrets import Secrets

_SECRET_BYTES = 32
_DEFAULTS: Mapping[str, Any] = {
    "release": "4.13.0",
    "domains": [],
    "push": "shadow",
    "locale": "nl",
    "timezone": "Europe/Amsterdam",
    "currency": "EUR",
    "unsigned": False,
    "create_contacts": False,
    "seal": False,
    "agents_may_change": [],
    "erase_when_redacted": False,
}
_ROTATED = ("webhook_secret", "event_secret", "vouching_secret", "shopify_secret")
_PREVIOUS = (*(f"{column}_previous" for column in _ROTATED), "path_token_sha256_previous")
_SECRETS = (*COLUMNS, "path_token_sha256", "path_token_sha256_previous")
_COLUMNS = (
    {"name": "account_name", "base_url": "chatwoot_base_url", "account_id": "chatwoot_account_id"}
    | {name: name for name in ("release", "website_token", "push", "locale", "timezone", "currency", "support_email")}
    | {name: name for name in ("create_contacts", "seal", "shopify_domain", "erase_when_redacted")}
)
_NEEDED = {
    "chatwoot_base_url": "--base-url",
    "chatwoot_account_id": "--account",
    "website_token": "--website-token",
}


@dataclass(frozen=True, slots=True)
class WantedRow:
    """The row to be, and the secrets that only this moment knows in the clear."""

    columns: dict[str, Any] = field(repr=False)
    path_token: str | None = field(repr=False)  # None: signed, or made earlier and kept
    made_event_secret: str | None = field(repr=False)
    made_vouching_secret: str | None = field(repr=False)


def wanted(store: StoreOptions, organization: UUID, before: Mapping[str, Any] | None, vault: Secrets) -> WantedRow:
    """The account's columns. What would not change keeps its very bytes. Raises Refusal where something is missing."""
    stands = without_lost(before, vault) if before and store.key_lost else before
    known = dict.fromkeys(
        (*_SECRETS, "support_email", "allowed_attributes", "tier_rules", "tiers_after", "formats", "shopify_domain")
    ) | dict(stands or {"account_name": store.slug, **_DEFAULTS})
    seal = _Seal(vault, organization, known)
    named = {column: value for name, column in _COLUMNS.items() if (value := getattr(store, name)) is not None}
    columns = known | {"organization_id": organization, "slug": store.slug} | named
    for name in ("domains", "allowed_attributes", "agents_may_change"):
        if (items := getattr(store, name)) is not None:
            columns[name] = list(items)
    if store.formats is not None:
        columns["formats"] = store.formats.model_dump()
    columns |= _tiers(store, known)
    if before and columns["currency"] != before["currency"]:
        columns["tiers_after"] = ""  # by what they spent in the store's own
    _check(store, columns, before)
    token = _path_token(store, known)
    columns |= _signed(store, seal) | _unsigned(store, token)
    event = _made(store.event_secret or known["event_secret"])
    # One attached before there were two goes on with its event secret until it is given another; lost is not that.
    vouching = _made(store.vouching_secret or (before and before["vouching_secret"] == known["vouching_secret"]))
    columns |= seal.rotated("event_secret", store.event_secret or event)
    columns |= _vouching(store.vouching_secret or vouching, seal)
    columns |= seal.rotated("shopify_secret", store.shopify_secret)
    columns |= seal.put("api_access_token", store.api_access_token)
    columns |= seal.put("identity_key", store.identity_key)
    if store.forget_previous:
        columns |= dict.fromkeys(_PREVIOUS)
    return WantedRow(columns, token, *(one.get_secret_value() if one else None for one in (event, vouching)))


def _check(store: StoreOptions, columns: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    if absent := [option for column, option in _NEEDED.items() if columns.get(column) is None]:
        raise Refusal(f"store {store.slug} is new, so it needs {', '.join(absent)}")
    # One whose key is lost is as good as new; one that never had a secret goes on without.
    as_before = before and columns["webhook_secret"] == before["webhook_secret"]
    if not (as_before or store.webhook_secret or store.path_token or store.unsigned):
        raise Refusal(f"store {store.slug} needs its webhook secret; releases before 4.11.2 have none: say --unsigned")
    if before and columns["chatwoot_account_id"] != before["chatwoot_account_id"]:
        raise Refusal(
            f"store {store.slug} is attached to account {before['chatwoot_account_id']}: a store keeps its account"
        )
    if (store.shopify_secret or columns["shopify_secret"]) and not columns["shopify_domain"]:
        raise Refusal(
            f"store {store.slug}: say which of Shopify's shops it is, like --shopify-domain name.myshopify.com"
        )


@dataclass(frozen=True, slots=True)
class _Seal:
    vault: Secrets
    organization: UUID
    known: Mapping[str, Any]

    def put(self, column: str, text: SecretStr | None) -> dict[str, str | None]:
        """The column with this text; None, or the text that is there, changes nothing."""
        if text is None or text.get_secret_value() == self.opened(column):
            return {}
        return {column: self.vault.seal(text.get_secret_value(), organization=self.organization, column=column)}

    def rotated(self, column: str, text: SecretStr | None) -> dict[str, str | None]:
        """The same; a changed secret stays valid as the previous one, sealed as it was: its sender needs a while."""
        changed = self.put(column, text)
        if changed and self.known[column]:
            changed[f"{column}_previous"] = self.known[column]
        return changed

    def opened(self, column: str) -> str | None:
        """What stands there in the clear; None also for what is damaged, which is replaced: another
        key's would not have come so far (control/keys/another.py)."""
        try:
            sealed = self.known[column]
            return self.vault.open(sealed, organization=self.organization, column=column) if sealed else None
        except Sealed:
            return None


def _tiers(store: StoreOptions, known: Mapping[str, Any]) -> dict[str, Any]:
    """After a change all customers are reckoned again, from the first."""
    if store.tiers is None or (rules := store.tiers.model_dump(exclude_none=True)) == known["tier_rules"]:
        return {}
    return {"tier_rules": rules, "tiers_after": ""}


def _signed(store: StoreOptions, seal: _Seal) -> dict[str, Any]:
    if store.webhook_secret is None:
        return {}
    return seal.rotated("webhook_secret", store.webhook_secret) | {"unsigned": False, "path_token_sha256": None}


def _vouching(text: SecretStr | None, seal: _Seal) -> dict[str, str | None]:
    """Where none was before, the event secret vouched: it becomes the previous one."""
    columns = seal.rotated("vouching_secret", text)
    vouched = seal.opened("event_secret")
    if columns and vouched and not seal.known["vouching_secret"]:
        sealed = seal.vault.seal(vouched, organization=seal.organization, column="vouching_secret")
        columns["vouching_secret_previous"] = sealed
    return columns


def _path_token(store: StoreOptions, known: Mapping[str, Any]) -> str | None:
    if store.path_token:
        return store.path_token.get_secret_value()
    return secrets.token_urlsafe(_SECRET_BYTES) if store.unsigned and not known["unsigned"] else None


def _unsigned(store: StoreOptions, token: str | None) -> dict[str, Any]:
    if token is None:
        return {}
    hashed = hashlib.sha256(token.encode()).digest()
    return {"unsigned": True, "path_token_sha256": hashed, "webhook_secret": None, "webhook_secret_previous": None}


def _made(known: object) -> SecretStr | None:
    """A secret in the form of Standard Webhooks where none is known."""
    if known:
        return None
    return SecretStr(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode())

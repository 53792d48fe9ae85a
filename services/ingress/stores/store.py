"""A store as the doors know it: who it is, and what proves that a request is its own."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from schemas.vouching import key
from services.ingress.origins import allowed_origins
from services.ingress.signatures import Signer
from services.kernel.forgetting.subjects import Pseudonyms
from services.kernel.sealing.sealer import Sealer, sealer_of
from services.kernel.secrets import Secrets

log = structlog.get_logger()
_NO_KEY = secrets.token_bytes(32)  # nobody has it, so nothing is signed with it


@dataclass(frozen=True, slots=True)
class Store:
    """What the doors need of one store.

    `signers` stand for its webhook secrets, `path_tokens_sha256` for the tokens that an unsigned store's URL ends in,
    `event_keys` for those that its shop signs events with, `shopify_keys` for Shopify's, and what the shop vouches for
    customers with are `vouching_secrets`. Of each the current one first, then the previous one.
    """

    id: UUID
    key: str  # the id as records' keys begin with it
    slug: str
    account_id: int
    signers: tuple[Signer, ...] = field(repr=False)
    event_keys: tuple[bytes, ...] = field(repr=False)
    vouching_secrets: tuple[str, ...] = field(repr=False)
    identity_key: str | None = field(repr=False)  # Chatwoot's, for its visitors
    website_token: str
    path_tokens_sha256: tuple[bytes, ...]  # none: it signs
    origins: frozenset[str]
    keep_full_ip: bool
    locale: str
    chatwoot_base_url: str
    name: str
    analytics_need_consent: bool = True
    sealer: Sealer | None = field(default=None, repr=False)  # of a store whose records are encrypted
    shopify_keys: tuple[bytes, ...] = field(default=(_NO_KEY,), repr=False)
    shopify_domain: str = ""

    @property
    def unsigned(self) -> bool:
        return bool(self.path_tokens_sha256)


# Stands in for a store that does not exist: its requests take the same steps and fail at the same one.
NOBODY = Store(
    UUID(int=0), "", "", 0, (Signer(_NO_KEY),), (_NO_KEY,), (), None, "", (), frozenset(), False, "", "", ""
)  # fmt: skip


def opened(row: Mapping[str, Any], keys: Secrets) -> Store:
    """The store of this row. Raises Sealed."""
    organization = UUID(str(row["organization_id"]))

    def both(column: str) -> tuple[str, ...]:
        """The previous secret was the current one when it was sealed. A copy of an earlier release lacks some."""
        sealed = (row.get(column), row.get(f"{column}_previous"))
        return tuple(keys.open(one, organization=organization, column=column) for one in sealed if one)

    event = both("event_secret")
    sealer = sealer_of(organization, row.get("seal_trees") or (), keys, Pseudonyms(keys)) if row.get("seal") else None
    return Store(
        id=organization,
        key=str(organization),
        slug=row["slug"],
        account_id=row["chatwoot_account_id"],
        signers=tuple(Signer(one.encode()) for one in both("webhook_secret")),
        event_keys=_keys(row["slug"], event) or NOBODY.event_keys,
        vouching_secrets=both("vouching_secret") or event,
        identity_key=next(iter(both("identity_key")), None),
        website_token=row["website_token"],
        path_tokens_sha256=_path_tokens(row) if row["unsigned"] else (),
        origins=allowed_origins(row["domains"]),
        keep_full_ip=row["keep_full_ip"],
        locale=row["locale"],
        chatwoot_base_url=row["chatwoot_base_url"],
        name=row["account_name"],
        # A copy of an earlier release does not say.
        analytics_need_consent="analytics" in row.get("consent_needed", ("analytics",)),
        sealer=sealer,
        shopify_keys=tuple(one.encode() for one in both("shopify_secret")) or NOBODY.shopify_keys,
        shopify_domain=row.get("shopify_domain") or "",
    )


def _path_tokens(row: Mapping[str, Any]) -> tuple[bytes, ...]:
    hashed = (row["path_token_sha256"], row.get("path_token_sha256_previous"))
    return tuple(bytes(one) for one in hashed if one)


def _keys(slug: str, event_secrets: Iterable[str]) -> tuple[bytes, ...]:
    """A secret that is no base64 proves nothing; `stores add` takes none."""
    found = []
    for secret in event_secrets:
        try:
            found.append(key(secret))
        except ValueError:
            log.error("event_secret_is_no_base64", store=slug)
    return tuple(found)

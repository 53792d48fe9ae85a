"""What our own tables say of each store, its secrets opened or named as sealed by another key."""

from collections.abc import Sequence
from uuid import UUID

from db import sealed as sealed_columns
from db import stores
from db.pool import Pool, Row, scoped
from services.control.doctor.seen import StoreRow
from services.kernel.cli.environment import stores_named
from services.kernel.errors import Sealed
from services.kernel.secrets import Secrets

_PATH_TOKENS = ("path_token_sha256", "path_token_sha256_previous")


async def look(pool: Pool, vault: Secrets) -> Sequence[StoreRow]:
    """Every active store."""
    known = await stores_named(pool, None)
    if not known:
        return []
    async with scoped(pool, known.values()) as conn:
        return [_row(row, vault) for row in await stores.heard(conn)]


def _row(row: Row, vault: Secrets) -> StoreRow:
    organization = UUID(str(row["organization_id"]))
    opened: dict[str, str] = {}
    sealed = []
    for column in sealed_columns.COLUMNS:
        if text := row[column]:
            try:
                opened[column] = vault.open(text, organization=organization, column=sealed_columns.sealed_for(column))
            except Sealed:
                sealed.append(column)
    return StoreRow(
        organization=organization,
        slug=row["slug"],
        base_url=row["chatwoot_base_url"],
        account_id=row["chatwoot_account_id"],
        webhook_path=f"/webhooks/chatwoot/{row['slug']}",
        path_tokens_sha256=[bytes(row[one]) for one in _PATH_TOKENS if row["unsigned"] and row[one]],
        push=row["push"],
        has_domains=bool(row["domains"]),
        allowed=None if row["allowed_attributes"] is None else frozenset(row["allowed_attributes"]),
        token=opened.get("api_access_token"),
        webhook_secrets=[opened[one] for one in ("webhook_secret", "webhook_secret_previous") if one in opened],
        sealed=sealed,
        last_activity_at=row["last_activity_at"],
    )

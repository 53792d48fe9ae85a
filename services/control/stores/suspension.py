"""A store at rest, at work again, gone; and all that is known of it."""

from typing import Any
from uuid import UUID

from pydantic import SecretStr

from db import stores as table
from db.pool import Row, scoped
from schemas.chatwoot.setup import AccountWebhooks
from services.control.stores.calls import Api
from services.control.stores.declared.difference import Doors
from services.control.stores.declared.observed import account_path
from services.control.stores.site import ChatwootSite
from services.kernel import Refusal
from services.kernel.actor import note
from services.kernel.cli.environment import stores_named

_SHOWN = (
    "slug", "organization_id", "account_name", "account_status", "chatwoot_base_url", "chatwoot_account_id", "release",
    "website_token", "unsigned", "domains", "push", "locale", "timezone", "currency", "support_email", "shopify_domain",
    "erase_when_redacted", "created_at",
    "updated_at",
)  # fmt: skip
_SECRETS = ("api_access_token", "webhook_secret", "webhook_secret_previous", "event_secret", "event_secret_previous",
            "vouching_secret", "vouching_secret_previous", "identity_key", "shopify_secret",
            "shopify_secret_previous")  # fmt: skip
_NOTED = {"suspended": "stores suspend", "active": "stores resume"}


async def shown(site: ChatwootSite, slug: str) -> dict[str, Any]:
    """Its row without secrets, of which it says which there are; and the steps that made it."""
    organization, row = await _known(site, slug)
    steps = await site.steps(organization)
    return {
        **{name: row[name] for name in _SHOWN},
        "webhook_url": _doors(site, slug).url,
        "event_url": f"{site.settings.public_url.rstrip('/')}/events/{slug}",
        "shopify_url": f"{site.settings.public_url.rstrip('/')}/shopify/{slug}" if row["shopify_secret"] else None,
        "secrets": [name for name in _SECRETS if row[name]],
        "steps": [dict(one) for one in steps.values()],
    }


async def set_status(site: ChatwootSite, slug: str, status: str) -> bool:
    """Suspended: the doors answer its senders 401, nothing is pushed. Chatwoot itself is not touched."""
    organization, _row = await _known(site, slug)
    async with site.alone(), scoped(site.pool, {organization}) as conn:
        changed = await table.set_status(conn, organization, status)
        if changed:
            await note(conn, _NOTED[status], store=organization, thing=slug)
        return changed


async def remove(site: ChatwootSite, slug: str, *, keep_webhook: bool) -> list[str]:
    """Our webhook goes, then our secrets; what Chatwoot and our tables hold of conversations stays."""
    organization, row = await _known(site, slug)
    async with site.alone():
        removed = [] if keep_webhook else await _remove_webhooks(site, slug, organization, row)
        async with scoped(site.pool, {organization}) as conn:
            await table.retire(conn, organization)
            await note(conn, "stores remove", store=organization, thing=f"{len(removed)} webhooks, and our secrets")
    return removed


async def remove_if_there(site: ChatwootSite, slug: str, *, keep_webhook: bool) -> list[str]:
    """The same of a store that may have been removed before."""
    organization = (await stores_named(site.pool, slug))[slug]
    return await remove(site, slug, keep_webhook=keep_webhook) if await site.account(organization) else []


async def _known(site: ChatwootSite, slug: str) -> tuple[UUID, Row]:
    organization = (await stores_named(site.pool, slug))[slug]
    row = await site.account(organization)
    if row is None:
        raise Refusal(f"store {slug} was removed")
    return organization, row


async def _remove_webhooks(site: ChatwootSite, slug: str, organization: UUID, row: Row) -> list[str]:
    if not row["api_access_token"]:
        raise Refusal(
            f"store {slug} has no API token to remove its webhook with: remove it by hand, say --keep-webhook"
        )
    token = site.vault.open(row["api_access_token"], organization=organization, column="api_access_token")
    api, doors = Api(site.chatwoot, row["chatwoot_base_url"], SecretStr(token)), _doors(site, slug)
    await site.release(api)  # judges the address
    path = f"{account_path(row['chatwoot_account_id'])}/webhooks"
    found: AccountWebhooks = await api.ask(AccountWebhooks, "GET", path)
    ours = [one for one in found.payload.webhooks if doors.is_ours(one)]
    for one in ours:
        await api.do("DELETE", f"{path}/{one.id}")
    return [doors.url for _ in ours]


def _doors(site: ChatwootSite, slug: str) -> Doors:
    url = f"{site.settings.public_url.rstrip('/')}/webhooks/chatwoot/{slug}"
    return Doors(url, release=(), secrets=(), token_is_known=lambda token: False)

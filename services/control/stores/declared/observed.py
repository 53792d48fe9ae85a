"""What an account has of that which a store needs."""

import asyncio
from dataclasses import dataclass

from schemas.chatwoot.rest import Version
from schemas.chatwoot.setup import (
    AccountWebhook,
    AccountWebhooks,
    Definition,
    Definitions,
    Label,
    Labels,
    SetUpInbox,
    SetUpInboxes,
)
from services.control.stores.calls import Api, RefusedCall
from services.kernel import Retryable


@dataclass(frozen=True, slots=True)
class Observed:
    """Of one account; empty is one that was just made."""

    inboxes: tuple[SetUpInbox, ...] = ()
    webhooks: tuple[AccountWebhook, ...] = ()
    definitions: tuple[Definition, ...] = ()
    labels: tuple[Label, ...] = ()


def account_path(account_id: int | str) -> str:
    return f"/api/v1/accounts/{account_id}"


async def observe(api: Api, account_id: int) -> Observed:
    """Four calls at once: every one that is left out makes a second `apply` quicker."""
    path = account_path(account_id)
    contacts = {"attribute_model": "contact_attribute"}  # all the specified ones are the contact's
    inboxes, webhooks, definitions, labels = await asyncio.gather(
        api.ask(SetUpInboxes, "GET", f"{path}/inboxes"),
        api.ask(AccountWebhooks, "GET", f"{path}/webhooks"),
        api.ask(Definitions, "GET", f"{path}/custom_attribute_definitions", query=contacts),
        api.ask(Labels, "GET", f"{path}/labels"),
    )
    return Observed(inboxes.payload, webhooks.payload.webhooks, definitions, labels.payload)


async def release_of(api: Api) -> str | None:
    """Which release answers; None where a proxy keeps that to itself."""
    try:
        version: Version = await api.ask(Version, "GET", "/api")
    except (RefusedCall, Retryable):
        return None
    return version.version

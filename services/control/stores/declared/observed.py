"""What an account has of that which a store needs."""

import asyncio
from dataclasses import dataclass, replace

from schemas.chatwoot.rest import InboxBot, Version
from schemas.chatwoot.setup import (
    AccountWebhook,
    AccountWebhooks,
    Definition,
    Definitions,
    InboxMembers,
    Label,
    Labels,
    SetUpAgent,
    SetUpAgents,
    SetUpBot,
    SetUpBots,
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
    agents: tuple[SetUpAgent, ...] = ()
    members: frozenset[int] = frozenset()  # agents' ids, of the store's website inbox
    bots: tuple[SetUpBot, ...] = ()
    inbox_bot: int | None = None


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


async def with_staff(
    api: Api, account_id: int, observed: Observed, inbox: SetUpInbox | None, *, agents: bool, bot: bool
) -> Observed:
    """The same with its agents and its bots, where they are asked for: a file that declares none costs no call."""
    path = account_path(account_id)
    if agents:
        observed = replace(observed, agents=await api.ask(SetUpAgents, "GET", f"{path}/agents"))
    if agents and inbox:
        members: InboxMembers = await api.ask(InboxMembers, "GET", f"{path}/inbox_members/{inbox.id}")
        observed = replace(observed, members=frozenset(one.id for one in members.payload))
    if bot:
        observed = replace(observed, bots=await api.ask(SetUpBots, "GET", f"{path}/agent_bots"))
    if bot and inbox:
        active: InboxBot = await api.ask(InboxBot, "GET", f"{path}/inboxes/{inbox.id}/agent_bot")
        number = (active.agent_bot or {}).get("id")
        observed = replace(observed, inbox_bot=number if isinstance(number, int) else None)
    return observed


async def release_of(api: Api) -> str | None:
    """Which release answers; None where a proxy keeps that to itself."""
    try:
        version: Version = await api.ask(Version, "GET", "/api")
    except (RefusedCall, Retryable):
        return None
    return version.version

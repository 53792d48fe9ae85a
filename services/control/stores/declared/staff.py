"""Who answers in a store's website inbox, people and bot, wanted against observed: the changes. Pure.

What waits for another change, which makes what it names, has no call yet: the next look has one.
"""

from collections.abc import Iterator

from schemas.chatwoot.setup import SetUpAgent
from services.control.stores.declared.difference import AccountChange, Call, widget_inbox
from services.control.stores.declared.observed import Observed, account_path
from services.control.stores.declared.stores_file_reader import WantedStore


def staff_differences(wanted: WantedStore, observed: Observed, account: int | str) -> list[AccountChange]:
    """What Chatwoot lacks of the agents and the bot that the file declares; others are left alone."""
    path = account_path(account)
    return [*_agents(wanted, observed, path), *_members(wanted, observed, path), *_bot(wanted, observed, path)]


def _by_email(observed: Observed) -> dict[str, SetUpAgent]:
    return {(one.email or "").lower(): one for one in observed.agents}


def _agents(wanted: WantedStore, observed: Observed, path: str) -> Iterator[AccountChange]:
    there = _by_email(observed)
    for one in wanted.entry.agents:
        found, what = there.get(one.email.lower()), f"agent {one.email}"
        if found is None:
            body = {"email": one.email, "name": one.name, "role": one.role}
            yield AccountChange("+", "agents", what, after=one.role, call=Call("POST", f"{path}/agents", body))
        elif found.role != one.role:
            call = Call("PATCH", f"{path}/agents/{found.id}", {"role": one.role})
            yield AccountChange("~", "agents", what, found.role, one.role, call)


def _members(wanted: WantedStore, observed: Observed, path: str) -> Iterator[AccountChange]:
    """An agent sees only the inboxes whose member they are."""
    there, inbox = _by_email(observed), widget_inbox(wanted, observed)
    for one in wanted.entry.agents:
        found, call = there.get(one.email.lower()), None
        if found and found.id in observed.members:
            continue
        if found and inbox:
            call = Call("POST", f"{path}/inbox_members", {"inbox_id": inbox.id, "user_ids": [found.id]})
        yield AccountChange("+", "members", f"{one.email} in the website inbox", call=call)


def _bot(wanted: WantedStore, observed: Observed, path: str) -> Iterator[AccountChange]:
    bot, inbox = wanted.entry.bot, widget_inbox(wanted, observed)
    if bot is None:
        return
    found, call = next((one for one in observed.bots if one.name == bot.name), None), None
    body = {"name": bot.name, "outgoing_url": bot.outgoing_url}
    if found is None:
        make = Call("POST", f"{path}/agent_bots", body)
        yield AccountChange("+", "bot", f"bot {bot.name}", after=bot.outgoing_url, call=make)
    elif found.outgoing_url != bot.outgoing_url:
        mend = Call("PATCH", f"{path}/agent_bots/{found.id}", body)
        yield AccountChange("~", "bot", f"bot {bot.name}", found.outgoing_url, bot.outgoing_url, mend)
    if found is None or observed.inbox_bot != found.id:
        if found and inbox:
            call = Call("POST", f"{path}/inboxes/{inbox.id}/set_agent_bot", {"agent_bot": found.id})
        yield AccountChange("+", "bot", f"bot {bot.name} in the website inbox", call=call)

"""Accounts and contacts that exist before the first call: as given, or as recorded webhooks show them."""

from collections.abc import Iterable, Iterator
from typing import Any

from local.chatwoot.double import Double
from local.chatwoot.model.bearers import UNIQUE
from local.chatwoot.model.rows import Account, Contact, JsonObject, User, Webhook

_SHOWN = ("id", *UNIQUE, "name", "custom_attributes", "additional_attributes")


def add_account(double: Double, account_id: int, *, token: str, name: str = "shop") -> Account:
    """An active account whose one administrator has this token."""
    state = double.state
    account = Account(id=account_id, settings={"name": name, "locale": "en", "status": "active"})
    user_id = state.number("user")
    user = User(
        id=user_id, name=name, email=f"integration-{user_id}@shop.example", token=token, pubsub_token=state.token()
    )
    account.members[user_id] = {"role": "administrator"}
    state.used("account", account_id)
    state.accounts[account_id] = account
    state.users[user_id] = state.tokens[token] = user
    return account


def add_webhook(double: Double, account: Account, url: str, *, secret: str | None) -> Webhook:
    """Subscribed to everything the release has; without a secret as releases that do not sign."""
    state = double.state
    made = Webhook(
        id=state.number("webhook"),
        account_id=account.id,
        url=url,
        name="integration",
        subscriptions=state.release.subscriptions,
        secret=secret,
    )
    account.webhooks[made.id] = made
    return made


def add_contact(double: Double, account: Account, **fields: Any) -> Contact:
    """Silently, with the id it is said to have; names that somebody else bears become theirs."""
    state, now = double.state, double.state.now()
    row = Contact(account_id=account.id, created_at=now, updated_at=now, **fields)
    row.contact_type = "lead" if row.email or row.phone_number else "visitor"
    for key in UNIQUE:
        bearer = state.bearer(account.id, key, getattr(row, key))
        if bearer is not None and bearer.id != row.id:
            setattr(bearer, key, None)
            state.keep(bearer)
    state.used("contact", row.id)
    state.keep(row)
    return row


def add_recorded_contacts(double: Double, account: Account, bodies: Iterable[JsonObject]) -> int:
    """Every contact in these webhook bodies as it was shown last; answers how many there are."""
    last: dict[int, JsonObject] = {}
    for body in bodies:
        for shown in _contacts(body):
            last.pop(shown["id"], None)  # who is shown later keeps a name that went from hand to hand
            last[shown["id"]] = shown
    for shown in last.values():
        add_contact(double, account, **{key: shown[key] for key in _SHOWN if shown.get(key) is not None})
    return len(last)


def _contacts(body: JsonObject) -> Iterator[JsonObject]:
    """The contact that an event is about, and the person a conversation is with."""
    if str(body.get("event")).startswith("contact_"):
        yield body
    for talk in (body, body.get("conversation") or {}):
        if sender := (talk.get("meta") or {}).get("sender"):
            yield sender

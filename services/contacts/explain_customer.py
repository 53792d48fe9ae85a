"""`wootstream explain customer`: from what the shop said to what Chatwoot shows, and where it waits in between."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from db.people import explained as table
from db.people import pushes
from db.pool import Connection, scoped
from schemas.values.money import written
from services.contacts.attributes import DERIVED, attributes
from services.contacts.difference import difference
from services.contacts.sending.contacts_api import SenderAccount
from services.contacts.sending.due_work import of_agents, person_of
from services.kernel import Refusal
from services.kernel.actor import note
from services.kernel.cli.environment import database, installed, stores_named
from services.kernel.cli.terminal import Json, print_json, show
from services.kernel.printable import printable_lines, utc

_FACTS = 20  # said last
_RETURNS = 5  # named; who has more of them knows by then


@dataclass(frozen=True, slots=True)
class ShopSaid:
    """One event of the shop."""

    at: datetime
    event: str
    order: str | None
    amount: str | None


@dataclass(frozen=True, slots=True)
class ExplainedAttribute:
    """One attribute: from what it is reckoned, and how it stands between us and Chatwoot."""

    attribute: str
    wanted: Any
    chatwoot_has: Any
    state: str
    source: str


@dataclass(frozen=True, slots=True)
class ExplainedCustomer:
    """Everything between a customer's events and their contact; `stands` says it in sentences."""

    customer_id: str
    others: Sequence[str]  # who bear the same e-mail or phone
    facts: Sequence[ShopSaid]
    attributes: Sequence[ExplainedAttribute]
    stands: Sequence[str]


def add_to(explains: typer.Typer) -> None:
    """Register the verb beside the others that explain."""
    explains.command(name="customer")(customer)


def customer(
    store: Annotated[str, typer.Argument(help="the store's short name")],
    who: Annotated[str, typer.Argument(help="the shop's customer id, an e-mail address or a phone")],
    as_json: Json = False,
) -> None:
    """What the shop said, which attributes follow, and what became of them in Chatwoot; who asks is written down."""
    answer = asyncio.run(_explained(store, who))
    if as_json:
        print_json(asdict(answer))
        return
    show(("said at", "event", "order", "amount"),
         [(utc(one.at), one.event, one.order, one.amount) for one in answer.facts])  # fmt: skip
    cells = [(one.attribute, _text(one.wanted), _text(one.chatwoot_has), one.state, one.source)
             for one in answer.attributes]  # fmt: skip
    show(("attribute", "wanted", "Chatwoot has", "state", "from"), cells, footer="\n".join(answer.stands))
    if answer.others:
        print(printable_lines(f"the same e-mail or phone: {', '.join(answer.others)}"))


async def _explained(store: str, who: str) -> ExplainedCustomer:
    async with database(installed(kafka=False)) as pool:
        organization = (await stores_named(pool, store))[store]
        async with scoped(pool, {organization}) as conn:
            found = await table.named(conn, organization, who)
            if not found:
                raise Refusal(
                    f"the shop {store} said nothing of a customer {who}: look for an id, an e-mail or a phone"
                )
            await note(conn, "explain customer", store=organization, thing=found[0])
            rows = [SenderAccount.of(row) for row in await pushes.accounts(conn)]
            account = next((one for one in rows if one.store == organization), None)
            if account is None:
                raise Refusal(f"store {store} is suspended: nothing is pushed")
            return await _of(conn, account, found[0], found[1:])


async def _of(conn: Connection, account: SenderAccount, customer_id: str, others: Sequence[str]) -> ExplainedCustomer:
    said = await table.facts(conn, account.store, customer_id, _FACTS)
    (link,) = await pushes.contacts_of(conn, [(account.store, customer_id)])
    contact_id = link["chatwoot_contact_id"]
    stands, lines = await _waits(conn, account.store, customer_id, contact_id), []
    if contact_id is None:
        stands = [_unmapped(account), *stands]
    else:
        (row,) = await pushes.people(conn, [(account.store, account.account_id, contact_id)])
        lines = _lines(account, row)
        stands = [*await _contact(conn, account, customer_id, contact_id, row), *stands]
    stands += await _returns(conn, account.store, customer_id)
    facts = [ShopSaid(one["happened_at"], one["kind"], one["order_id"], _price(one)) for one in said]
    return ExplainedCustomer(customer_id, others, facts, lines, [_mode(account), *stands])


def _lines(account: SenderAccount, row: Any) -> list[ExplainedAttribute]:
    person, has = person_of(account, row), row["cached_attributes"]
    wanted, allowed = attributes(person), account.allowed
    theirs = of_agents(account, wanted, has, sent=row["sent_attributes"], written=row["written_keys"])
    return [
        ExplainedAttribute(
            name,
            wanted[name],
            has.get(name),
            "an agent's (agents_may_change)"
            if name in theirs
            else _state(wanted[name], has.get(name), is_allowed=allowed is None or name in allowed),
            DERIVED[name].source,
        )
        for name in DERIVED
    ]


def _state(wanted: Any, has: Any, *, is_allowed: bool) -> str:
    if not is_allowed:
        return "may not leave (allowed_attributes)"
    if wanted is None:
        return "nothing to say" if has is None else "nothing to say any more"
    return "differs" if difference({"it": wanted}, {} if has is None else {"it": has}) else "acknowledged"


async def _waits(conn: Connection, store: UUID, customer_id: str, contact_id: int | None) -> list[str]:
    people = [f"customer:{customer_id}", *([f"contact:{contact_id}"] if contact_id else [])]
    return [
        f"waits since {utc(row['waiting_since'])}, {row['marks']} times marked,"
        f" looked at again from {utc(row['not_before'])} on"
        + (f" after {row['attempts']} failures" if row["attempts"] else "")
        for row in await table.waiting(conn, store, people)
    ] or ["waits for nothing: the sender has looked at everything that was said"]


async def _returns(conn: Connection, store: UUID, customer_id: str) -> list[str]:
    return [
        f"order {row['order_id']}: what came back in {row['returned']} is not taken from what was spent,"
        f" for its price is in {row['currency']}"
        for row in await table.returned_otherwise(conn, store, customer_id, _RETURNS)
    ]


async def _contact(conn: Connection, account: SenderAccount, customer_id: str, contact_id: int, row: Any) -> list[str]:
    seen = await table.synced(conn, account.store, account.account_id, contact_id)
    assert seen is not None  # contacts_of found it in the same transaction
    by = "its identifier" if seen["customer_id"] == customer_id else "e-mail or phone"
    sentences = [f"is contact {contact_id} in Chatwoot's account {account.account_id}, known by {by}"]
    if row["customer_id"] != customer_id:
        sentences.append(
            f"but that contact stands for customer {row['customer_id']}: of several the one with most orders"
        )
    if seen["sync_error"]:
        sentences.append(f"the last call failed: {seen['sync_error']}")
    elif seen["last_synced_at"]:
        sentences.append(f"Chatwoot acknowledged last at {utc(seen['last_synced_at'])}")
    return sentences


def _mode(account: SenderAccount) -> str:
    modes = {
        "off": "nothing is pushed: the store is off",
        "shadow": "nothing is sent: the store is in shadow, `wootstream push diff` shows what would be",
        "live": "the store is live: what differs is sent",
    }
    trouble = f"; the last call to its Chatwoot failed: {account.trouble}" if account.trouble else ""
    return modes[account.push] + trouble


def _unmapped(account: SenderAccount) -> str:
    cure = (
        "is made when there is something to say" if account.create_contacts else "is not made: create_contacts is off"
    )
    if account.push != "live":
        return (
            "no contact is known that bears this id, e-mail or phone, and Chatwoot is asked for one only once the store"
            f" is live; one {cure}"
        )
    return f"no contact of Chatwoot's bears this id, e-mail or phone; one {cure}"


def _price(fact: Any) -> str | None:
    return None if fact["amount_minor"] is None else written(fact["amount_minor"], fact["currency"] or "")


def _text(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()

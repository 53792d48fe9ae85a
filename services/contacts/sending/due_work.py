"""From the mailbox to work: due people, the contact behind each, and what is wanted and known of it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from db.people import pushes
from db.pool import Connection, Row
from schemas.attributes import VOLATILE
from schemas.bounds import MOST_INT4
from services.contacts.attributes import CurrentVisit, KnownPerson, RecentOrder, attributes
from services.contacts.difference import Difference, changed_by_others, difference
from services.contacts.matching import Key
from services.contacts.sending.contacts_api import SenderAccount

_LONGEST_ID = 10  # digits of MOST_INT4: what is longer is no id, and a text of any length is not made a number


@dataclass(frozen=True, slots=True)
class Due:
    """Somebody in the mailbox; `marks` counts how often they were named since they were last looked at."""

    store: UUID
    person: str
    marked_at: datetime
    marks: int
    attempts: int

    @classmethod
    def of(cls, row: Row) -> "Due":
        return cls(row["organization_id"], row["person"], row["marked_at"], row["marks"], row["attempts"])

    @property
    def customer_id(self) -> str | None:
        kind, _, name = self.person.partition(":")
        return name if kind == "customer" else None

    @property
    def contact_id(self) -> int | None:
        kind, _, name = self.person.partition(":")
        number = int(name) if kind == "contact" and name.isdecimal() and len(name) <= _LONGEST_ID else None
        return number if number is None or number <= MOST_INT4 else None


@dataclass(frozen=True, slots=True)
class PushJob:
    """One contact to look at, and who asked for it."""

    account: SenderAccount
    key: Key
    due: tuple[Due, ...]
    difference: Difference
    acknowledged: Mapping[str, Any] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    synced_at: datetime | None = None
    sent: Mapping[str, Any] = field(default_factory=dict)
    repaired: frozenset[str] = frozenset()  # what somebody else had changed, and is set back
    confirmed: Mapping[str, Any] = field(default_factory=dict)  # Chatwoot has it though no answer said so

    @property
    def is_fleeting(self) -> bool:
        """Nothing differs but where the person is in the shop."""
        return bool(self.difference) and not self.difference.removed and self.difference.changed.keys() <= VOLATILE


@dataclass(slots=True)
class DueWork:
    """What a batch of due people comes to."""

    jobs: list[PushJob] = field(default_factory=list)
    unmapped: list[Due] = field(default_factory=list)  # customers whose contact is not known here
    # contacts of whom the shop knows nothing, customers of whom it said nothing
    strangers: list[Due] = field(default_factory=list)
    failed: list[tuple[Due, Exception]] = field(default_factory=list)  # what we know of them raises in our code

    def __add__(self, other: "DueWork") -> "DueWork":
        return DueWork(
            self.jobs + other.jobs,
            self.unmapped + other.unmapped,
            self.strangers + other.strangers,
            self.failed + other.failed,
        )


async def work_of(conn: Connection, due: Sequence[Due], accounts: Mapping[UUID, SenderAccount]) -> DueWork:
    """Read what the batch needs in two statements."""
    keys = await _keys(conn, due, accounts)
    asked: dict[Key, list[Due]] = defaultdict(list)
    work = DueWork()
    for one in due:
        if one not in keys:
            work.strangers.append(one)
        elif (key := keys[one]) is None:
            work.unmapped.append(one)
        else:
            asked[key].append(one)
    people = {_key(row): row for row in await pushes.people(conn, list(asked))}
    for key, askers in sorted(asked.items()):
        row = people.get(key)
        if row is None or row["customer_id"] is None:
            work.strangers += askers
            continue
        try:
            work.jobs.append(_job(accounts[key[0]], key, row, tuple(askers)))
        except Exception as error:  # whatever their data raises costs nobody else anything
            work.failed += [(one, error) for one in askers]
    return work


async def _keys(conn: Connection, due: Sequence[Due], accounts: Mapping[UUID, SenderAccount]) -> dict[Due, Key | None]:
    """The contact of each; None when it is not known here, absent when there is nothing to say of them."""
    by_customer = {(one.store, one.customer_id): one for one in due if one.customer_id is not None}
    found: dict[Due, Key | None] = {
        one: (one.store, accounts[one.store].account_id, one.contact_id) for one in due if one.contact_id is not None
    }
    for row in await pushes.contacts_of(conn, list(by_customer)):
        one = by_customer[row["organization_id"], row["customer_id"]]
        found[one] = None if row["chatwoot_contact_id"] is None else _key(row)
    return found


def _key(row: Row) -> Key:
    return row["organization_id"], row["chatwoot_account_id"], row["chatwoot_contact_id"]


def _job(account: SenderAccount, key: Key, row: Row, due: tuple[Due, ...]) -> PushJob:
    written = frozenset(row["written_keys"])
    wanted = attributes(person_of(account, row), account.allowed)
    held, sent = row["cached_attributes"], row["sent_attributes"]
    theirs = of_agents(account, wanted, held, sent=sent, written=written)
    ours = {name: value for name, value in wanted.items() if name not in theirs}
    found = difference(ours, held, written=written - VOLATILE - theirs)
    moved = changed_by_others(held, sent)
    return PushJob(
        account=account,
        key=key,
        due=due,
        difference=found,
        acknowledged=held,
        written=written,
        synced_at=row["last_synced_at"],
        sent=sent,
        repaired=moved & found.changed.keys() & sent.keys() - VOLATILE,
        confirmed={
            name: held[name]
            for name in moved & held.keys() - found.changed.keys() - VOLATILE
            if ours.get(name) is not None
        },
    )


def of_agents(
    account: SenderAccount,
    wanted: Mapping[str, Any],
    held: Mapping[str, Any],
    *,
    sent: Mapping[str, Any],
    written: Collection[str],
) -> set[str]:
    """Attributes that the store leaves to its agents, and that hold what we neither sent nor want."""
    # What an earlier release wrote it did not remember: it is taken for ours.
    by_others = changed_by_others(held, sent) | (held.keys() - sent.keys() - set(written))
    return {
        name
        for name in account.agents_may_change & by_others
        if difference({name: wanted.get(name)}, held, written=(name,))
    }


def person_of(account: SenderAccount, row: Row) -> KnownPerson:
    """A row of `pushes.people` as attributes are reckoned from it."""
    return KnownPerson(
        store=account.store,
        currency=account.currency,
        timezone=account.timezone,
        user_id=row["user_id"],
        preferred_language=row["preferred_language"],
        marketing_consent=row["marketing_consent"],
        registered_at=row["registered_at"],
        order_count=row["order_count"],
        spent=row["spent"],
        paid_orders=row["paid_orders"],
        first_order_at=row["first_order_at"],
        last_order_at=row["last_order_at"],
        customer_tier=row["customer_tier"],
        tickets=row["tickets"],
        satisfaction=row["satisfaction"],
        escalated=row["escalated"],
        recent_orders=tuple(_order(one) for one in row["recent_orders"]),
        favorite_categories=tuple(row["favorite_categories"]),
        visit=_visit(row),
        formats=account.formats,
    )


def _order(order: Mapping[str, Any]) -> RecentOrder:
    """As PostgreSQL writes a row in JSON."""
    return RecentOrder(
        number=order["order_number"] or order["order_id"],
        at=datetime.fromisoformat(order["at"]),
        currency=order["currency"],
        total_minor=order["total_minor"],
        refunded_minor=order["refunded_minor"],
        paid=order["paid"],
        refunded=order["refunded"],
        cancelled=order["cancelled"],
        url=order["order_url"],
    )


def _visit(row: Row) -> CurrentVisit | None:
    if row["visit_seconds"] is None:
        return None
    return CurrentVisit(
        row["visit_seconds"], row["page_url"], row["cart_minor"], row["cart_currency"], row["cart_items"]
    )

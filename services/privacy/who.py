"""Who somebody is in a store: one name → all of theirs. Used by everything that is done for a person.

Asked by an e-mail address, a phone or a browser's session, everybody who bears it is meant; asked by the shop's
customer id or Chatwoot's contact id, that one alone. A name that somebody else bears as well is nobody's own: it is
found, but never remembered as erased, or the other's records would go, too.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from db.pool import Connection, Row
from db.privacy import people
from services.kernel import Refusal
from services.kernel.forgetting.subjects import Subject, subjects_named

KINDS = ("customer", "email", "phone", "contact", "session")
_PHONE = re.compile(r"\+[\d ()/.-]{5,30}")
_MOST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class PersonNames:
    """All names of one person in a store; `shared` are those that others bear, too."""

    store: UUID
    asked: Subject
    customers: frozenset[str] = frozenset()
    contacts: frozenset[tuple[int, int]] = frozenset()  # (account, contact); account 0: no row of ours tells
    conversations: frozenset[int] = frozenset()
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    users: frozenset[UUID] = frozenset()
    shared: frozenset[Subject] = frozenset()
    also: tuple[Subject, ...] = ()  # by which they were asked for as well

    @property
    def contact_ids(self) -> frozenset[int]:
        return frozenset(contact for _, contact in self.contacts)

    def with_names_of(self, other: "PersonNames") -> "PersonNames":
        """Both together: the same person at two moments."""
        return replace(
            self,
            customers=self.customers | other.customers,
            contacts=self.contacts | other.contacts,
            conversations=self.conversations | other.conversations,
            emails=self.emails | other.emails,
            phones=self.phones | other.phones,
            sessions=self.sessions | other.sessions,
            users=self.users | other.users,
        )

    @property
    def subjects(self) -> frozenset[Subject]:
        """Each name that is theirs alone."""
        return frozenset(
            subjects_named(
                customers=self.customers,
                emails=self.emails,
                phones=self.phones,
                contacts=self.contact_ids,
                conversations=self.conversations,
                sessions=self.sessions,
                users=self.users,
            )
        )


def meant(text: str) -> Subject:
    """`customer:…`, `email:…`, `phone:…`, `contact:…`, `session:…`; without, what it looks like. Raises Refusal."""
    kind, colon, rest = text.partition(":")
    if not (colon and kind in KINDS):
        kind, rest = "email" if "@" in text else "phone" if _PHONE.fullmatch(text.strip()) else "customer", text
    if kind == "contact":
        if not (rest.isascii() and rest.isdigit() and 0 < int(rest) <= _MOST_ID):
            raise Refusal(f"{rest!r} is no number of a Chatwoot contact")
        return Subject("contact", str(int(rest)))
    named = {"email": {"emails": [rest]}, "phone": {"phones": [rest]}, "session": {"sessions": [rest]}}
    found = next(iter(subjects_named(**named.get(kind, {"customers": [rest]}))), None)  # type: ignore[arg-type]
    if found is None or "\0" in rest:
        raise Refusal(f"{text!r} names nobody: say customer:…, email:…, phone:…, contact:… or session:…")
    return found


async def find(conn: Connection, store: UUID, asked: Subject) -> PersonNames:
    """Who that is. As role wootstream_privacy, the store in scope."""
    customers, contacts = await _rows(conn, store, asked)
    ids = _texts(customers, "customer_id") | ({asked.name} if asked.kind == "customer" else set())
    contact_ids = {row["chatwoot_contact_id"] for row in contacts}
    if asked.kind == "contact":
        contact_ids.add(int(asked.name))
    accounts = {row["chatwoot_contact_id"]: row["chatwoot_account_id"] for row in contacts}
    emails = {one.lower() for one in _texts([*customers, *contacts], "email")}
    phones = _texts([*customers, *contacts], "phone")
    shared = await _shared(conn, store, ids, contact_ids, emails, phones) - {asked}
    users = {row["user_id"] for row in contacts if row["user_id"]}
    sessions = await people.sessions(conn, store, ids, users)
    if asked.kind == "session":
        sessions.add(asked.name)
    strangers = {session for session, customer in await people.visitors(conn, store, sessions) if customer not in ids}
    shared |= {Subject("session", one) for one in strangers}
    bearers = {"email": emails, "phone": phones, "session": sessions}
    if asked.kind in bearers:
        bearers[asked.kind].add(asked.name)
    own = {kind: frozenset(one for one in names if Subject(kind, one) not in shared) for kind, names in bearers.items()}  # type: ignore[arg-type]
    return PersonNames(
        store=store,
        asked=asked,
        customers=frozenset(ids),
        contacts=frozenset((accounts.get(one, 0), one) for one in contact_ids),
        conversations=frozenset(await people.conversations(conn, store, contact_ids)),
        emails=own["email"],
        phones=own["phone"],
        sessions=own["session"],
        users=frozenset(users),
        shared=frozenset(shared),
    )


async def find_by_all(conn: Connection, store: UUID, names: Sequence[Subject]) -> PersonNames:
    """Who is meant by all of these together, the surest first. A later one that somebody else bears adds nobody."""
    person = await find(conn, store, names[0])
    shared = set(person.shared)
    for name in names[1:]:
        if await _bearers(conn, store, name) <= person.customers:
            other = await find(conn, store, name)
            person, shared = person.with_names_of(other), shared | other.shared
        else:
            shared.add(name)
    return replace(person, shared=frozenset(shared - person.subjects), also=tuple(names[1:]))


async def _bearers(conn: Connection, store: UUID, name: Subject) -> set[str]:
    """The customers who bear it, as the shop or Chatwoot says."""
    emails, phones = ([name.name] if name.kind == kind else [] for kind in ("email", "phone"))
    ids = [name.name] if name.kind == "customer" else []
    customers = await people.customers(conn, store, ids=ids, emails=emails, phones=phones)
    contacts = await people.contacts(conn, store, ids=(), customers=ids, emails=emails, phones=phones)
    return _texts([*customers, *contacts], "customer_id")


async def _rows(conn: Connection, store: UUID, asked: Subject) -> tuple[list[Row], list[Row]]:
    """Customers and contacts that are this person: by the name asked for, then each by the other."""
    by = {kind: {asked.name} if asked.kind == kind else set[str]() for kind in KINDS}
    if asked.kind == "session":
        by["customer"] = {customer for _, customer in await people.visitors(conn, store, by["session"])}
    numbers = {int(one) for one in by["contact"]}
    customers = list(await people.customers(conn, store, ids=by["customer"], emails=by["email"], phones=by["phone"]))
    contacts = list(
        await people.contacts(
            conn, store, ids=numbers, customers=by["customer"] | _texts(customers, "customer_id"), emails=by["email"],
            phones=by["phone"],
        )
    )  # fmt: skip
    # A guest: Chatwoot knows them without the shop's id, by an address that is this customer's and no other's.
    if customers and not any(row["customer_id"] for row in contacts):
        contacts += await _guests(conn, store, customers, contacts)
    known = _texts(customers, "customer_id")
    if named := _texts(contacts, "customer_id") - known:
        customers += await people.customers(conn, store, ids=named, emails=(), phones=())
    elif asked.kind == "contact" and contacts and not known:
        customers += await _customers_of_guest(conn, store, contacts)
    return customers, contacts


async def _guests(conn: Connection, store: UUID, customers: list[Row], contacts: list[Row]) -> list[Row]:
    ids = _texts(customers, "customer_id")
    emails, phones = {one.lower() for one in _texts(customers, "email")}, _texts(customers, "phone")
    others = await people.customers(conn, store, ids=(), emails=emails, phones=phones)
    for other in others:
        if other["customer_id"] not in ids:
            emails.discard((other["email"] or "").lower())
            phones.discard(other["phone"])
    known = {row["chatwoot_contact_id"] for row in contacts}
    rows = await people.contacts(conn, store, ids=(), customers=(), emails=emails, phones=phones)
    return [row for row in rows if row["customer_id"] is None and row["chatwoot_contact_id"] not in known]


async def _customers_of_guest(conn: Connection, store: UUID, contacts: list[Row]) -> list[Row]:
    """Of a contact without the shop's id: the customer who alone bears its address."""
    emails, phones = {one.lower() for one in _texts(contacts, "email")}, _texts(contacts, "phone")
    rows = list(await people.customers(conn, store, ids=(), emails=emails, phones=phones))
    return rows if len({row["customer_id"] for row in rows}) == 1 else []


async def _shared(
    conn: Connection, store: UUID, ids: set[str], contact_ids: set[int], emails: set[str], phones: set[str]
) -> set[Subject]:
    """The addresses that somebody else bears as well."""
    others = [
        row
        for row in await people.customers(conn, store, ids=(), emails=emails, phones=phones)
        if row["customer_id"] not in ids
    ] + [
        row
        for row in await people.contacts(conn, store, ids=(), customers=(), emails=emails, phones=phones)
        if row["chatwoot_contact_id"] not in contact_ids
    ]
    named = set(subjects_named(emails=[row["email"] for row in others], phones=[row["phone"] for row in others]))
    return named & set(subjects_named(emails=emails, phones=phones))


def _texts(rows: Iterable[Row], column: str) -> set[str]:
    return {row[column] for row in rows if row[column]}

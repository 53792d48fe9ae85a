"""Whether a conversation may name its contact: as their newest word says, and without any as the store needs it.

Whose newest word turns is named or hidden in all that was kept before, so that the order of arrival decides nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from db.pool import Connection, Row
from db.privacy import consents as words
from db.privacy import unnamed_chats as table
from db.privacy.unnamed_chats import ContactKey
from db.reporting import conversations
from db.reporting.conversations import ConversationCustomerRow
from schemas.values.money import digits
from services.kernel.forgetting.subjects import Pseudonyms, Subject, subjects_named

_MOST_VALUE = Decimal("999999999999.99")  # numeric(14, 2)


class ChatConsent:
    """Asked in the transaction that keeps a batch; `settle` makes what was kept before agree."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    async def withheld(self, conn: Connection, contacts: Collection[ContactKey]) -> Mapping[ContactKey, bytes]:
        """Those of these contacts who must not be named, each with the hash that stands for them."""
        stores = await words.of_stores(conn, {store for store, _ in contacts}) if contacts else {}
        asked = [one for one in contacts if stores[one[0]].chat_needed or stores[one[0]].chat_said]
        agreed = await self._agreed(conn, asked) if asked else {}
        return {
            (store, contact): self.hash_of(store, contact)
            for store, contact in asked
            if not agreed.get((store, contact), not stores[store].chat_needed)
        }

    async def settle(self, conn: Connection, store: UUID, contacts: Collection[int]) -> tuple[int, int]:
        """Hide or name these in what is kept, as their words say now; (hidden, named) conversations. As
        wootstream_privacy, the store in scope."""
        await words.hold(conn, store)
        withheld = await self.withheld(conn, {(store, contact) for contact in contacts})
        hidden = await table.hide(conn, store, {contact: digest for (_, contact), digest in withheld.items()})
        named = [
            (contact, digest)
            for contact in sorted(contacts)
            if (store, contact) not in withheld
            for digest in self._pseudonyms.of(store, _subject(contact))
        ]
        shown = await table.show(conn, store, named)
        await _show_worth(conn, store, shown)
        return hidden, len(shown)

    def hash_of(self, store: UUID, contact: int) -> bytes:
        """What stands for a contact who is not named."""
        return self._pseudonyms.of(store, _subject(contact))[0]

    async def _agreed(self, conn: Connection, contacts: Collection[ContactKey]) -> dict[ContactKey, bool]:
        """The newest word under any of a contact's names; who never said anything is not in it."""
        by_name: dict[words.NamedDigest, list[ContactKey]] = defaultdict(list)
        rows = {(row["organization_id"], row["contact_id"]): row for row in await table.names(conn, contacts)}
        for store, contact in contacts:
            for subject in _names(contact, rows.get((store, contact))):
                for digest in self._pseudonyms.of(store, subject):
                    by_name[store, digest].append((store, contact))
        newest: dict[ContactKey, tuple[datetime, bool]] = {}
        for name, (said_at, given) in (await words.newest(conn, by_name, "chat")).items():
            # Of one moment the one that takes back counts.
            for contact_key in by_name[name]:
                before = newest.get(contact_key)
                if before is None or (said_at, not given) > (before[0], not before[1]):
                    newest[contact_key] = said_at, given
        return {contact: given for contact, (_, given) in newest.items()}


def _subject(contact: int) -> Subject:
    return Subject("contact", str(contact))


def _names(contact: int, row: Row | None) -> set[Subject]:
    if row is None:
        return {_subject(contact)}
    others = subjects_named(customers=[row["customer_id"]], emails=[row["email"]], phones=[row["phone"]])
    return {_subject(contact), *others}


async def _show_worth(conn: Connection, store: UUID, shown: Collection[tuple[int, int]]) -> None:
    """What they are worth to the shop now: what they were when the conversation began was not kept."""
    customers = await conversations.customers(conn, [(store, conversation, contact) for conversation, contact in shown])
    rows = [customer_row(row) for row in customers]
    await table.show_worth(conn, store, [(row.conversation_id, row.order_count, row.value) for row in rows])


def customer_row(known: Row) -> ConversationCustomerRow:
    """What the shop knew of the customer, in whole units of the store's currency."""
    value = Decimal(known["spent_minor"] or 0).scaleb(-digits(known["currency"]))
    return ConversationCustomerRow(
        organization_id=known["organization_id"],
        conversation_id=known["conversation_id"],
        customer_tier=known["customer_tier"],
        order_count=known["order_count"],
        currency=known["currency"],
        value=min(value, _MOST_VALUE),
    )

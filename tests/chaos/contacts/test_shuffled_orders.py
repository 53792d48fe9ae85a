"""Orders of five stores, shuffled and repeated: Chatwoot ends with what a clerk's book says, attribute by attribute."""

import random
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from db.pool import Pool, scoped
from schemas import topics as names
from services.kernel import Publisher, Record, Settings
from services.kernel.secrets import load_secrets
from tests.chaos.contacts.book import Book
from tests.e2e.test_shop_to_chatwoot import running
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.newest import begin_at_the_end
from tests.services.attached import ACCOUNT_ID, attach, authorize
from tests.services.contacts.api import ContactsDouble

_PLACES = (
    ("EUR", "Europe/Amsterdam"), ("EUR", "UTC"), ("GBP", "Europe/London"), ("JPY", "Asia/Tokyo"),
    ("KWD", "Asia/Kuwait"),
)  # fmt: skip
_REPEATED = 0.3
_AT_ONCE, _TRIES = 100, 20
_GROUPS = {"widget": names.WIDGET_EVENTS, "visits": names.WIDGET_EVENTS, "customers": names.SHOP_EVENTS,
           "contacts": names.WEBHOOKS}  # fmt: skip


async def _opened(pool: Pool, admin: Pool, settings: Settings, api: ContactsDouble, book: Book) -> None:
    """The store is attached, and each of its customers is a contact that is known here and there."""
    columns = {"push": "live", "currency": book.currency, "timezone": book.timezone}
    await attach(admin, organization_id=book.store, **columns)
    await authorize(admin, book.store, load_secrets(settings))
    for number in range(book.customers):
        api.add(_host(book), number + 1, identifier=f"c{number}")
    async with scoped(pool, {book.store}) as conn:
        await conn.execute(
            "insert into public.chatwoot_contacts (organization_id, chatwoot_account_id, chatwoot_contact_id,"
            " customer_id) select $1, $3, n + 1, 'c' || n from generate_series(0, $2 - 1) n",
            *(book.store, book.customers, ACCOUNT_ID),
        )


def _records(book: Book, received_at: datetime) -> list[Record]:
    return [
        Record.accepted(
            names.SHOP_EVENTS.name, key=f"{book.store}:{event['data']['customer_id']}".encode(),
            value=orjson.dumps(event), store=book.store, event=event["type"], origin="shop", received_at=received_at,
        )
        for event in book.told
    ]  # fmt: skip


async def _published(publisher: Publisher, records: list[Record]) -> None:
    """Until every record is acknowledged. What Kafka took without saying so comes twice, as so much here does."""
    for start in range(0, len(records), _AT_ONCE):
        waiting = records[start : start + _AT_ONCE]
        for _ in range(_TRIES):
            answers = await publisher.publish_all(waiting)
            waiting = [one for one, answer in zip(waiting, answers, strict=True) if isinstance(answer, Exception)]
            if not waiting:
                break
        assert not waiting, answers


def _host(book: Book) -> str:
    return f"{book.store.hex}.example"


def _held(api: ContactsDouble, book: Book) -> dict[str, dict[str, Any]]:
    return {f"c{number}": api.attributes(_host(book), number + 1) for number in range(book.customers)}


@pytest.mark.usefixtures("topics")
async def test_shuffled_and_repeated_orders_end_as_the_book_says(
    settings: Settings, pool: Pool, admin_pool: Pool, chance: random.Random, long: bool
) -> None:
    events, customers = (100_000, 5_000) if long else (2_000, 100)
    patience = 3_600.0 if long else PATIENCE_SECONDS
    books = [Book(uuid.uuid4(), *place, chance, customers // len(_PLACES)) for place in _PLACES]
    api = ContactsDouble()
    for book in books:
        book.write(events // len(_PLACES))
        await _opened(pool, admin_pool, settings, api, book)
    records = [record for book in books for record in _records(book, datetime.now(UTC))]
    records += chance.sample(records, int(len(records) * _REPEATED))
    chance.shuffle(records)
    await begin_at_the_end(settings, admin_pool, _GROUPS)

    begun = time.monotonic()
    async with running(settings.model_copy(update={"chatwoot_calls_per_second": 1000.0}), api) as process:
        await eventually(lambda: process.publisher.connected)
        await _published(process.publisher, records)
        for book in books:
            expected = book.expected()
            await eventually(lambda: _held(api, book) == expected, seconds=patience)  # noqa: B023
        stores = {book.store for book in books}

        async def nobody_is_due() -> bool:
            async with scoped(pool, stores) as conn:
                return bool(await conn.fetchval("select count(*) = 0 from wootstream.due"))

        await eventually(nobody_is_due, seconds=patience)
    for book in books:
        held, expected = _held(api, book), book.expected()
        for customer, attributes in expected.items():
            assert held[customer] == attributes
    people = sum(book.customers for book in books)
    print(f"{len(records)} events of {people} customers in {len(books)} stores, {_REPEATED:.0%} of them twice:"
          f" {len(api.calls)} calls, every attribute as in the book, in {time.monotonic() - begun:.0f} s")  # fmt: skip

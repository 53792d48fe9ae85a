"""What one person's data or one Chatwoot's answer raises, of whatever class, costs that person, and nobody else."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
import structlog

from db.people import due as mailbox
from db.people import pushes
from db.pool import scoped
from services.contacts.attributes import KnownPerson, attributes
from services.contacts.sending import due_work
from services.kernel import Chatwoot
from tests.answering import Answering
from tests.eventually import eventually
from tests.services.contacts.bench import Bench, host

RAISED = {
    "OverflowError": OverflowError("date value out of range"),
    "TypeError": TypeError("naive and aware"),
    "RecursionError": RecursionError(),
    "a group of them": ExceptionGroup("both", [KeyError("a"), ExceptionGroup("inner", [ZeroDivisionError()])]),
    "the driver's encoder": asyncpg.DataError("invalid input for query argument $4"),
    "a NUL": asyncpg.UntranslatableCharacterError("unsupported Unicode escape sequence"),
    "a moment that no clock knows": OSError(75, "Value too large for defined data type"),
}


async def _people(bench: Bench) -> tuple[uuid.UUID, uuid.UUID]:
    """Two stores; the first has somebody odd among others, and the second has somebody, too."""
    odd, well = await bench.store(), await bench.store()
    for store, customers in ((odd, ("c1", "odd", "c3")), (well, ("c1",))):
        for number, customer in enumerate(customers, 1):
            await bench.customer(store, customer, customer_tier="Odd" if customer == "odd" else "Gold")
            await bench.contact(store, number, customer_id=customer)
            await bench.change(store, customer)
    return odd, well


async def _error_of(bench: Bench, store: uuid.UUID) -> tuple[str, str | None]:
    async with scoped(bench.pool, {store}) as conn:
        row = await conn.fetchrow(
            "select sync_status, sync_error from public.chatwoot_contacts where customer_id = 'odd'"
        )
    assert row is not None
    return row["sync_status"], row["sync_error"]


def _attributes_raise(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def raising(person: KnownPerson, allowed: Any = None) -> dict[str, Any]:
        if person.customer_tier == "Odd":
            raise error
        return attributes(person, allowed)

    monkeypatch.setattr(due_work, "attributes", raising)


def _reading_raises(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    reading = pushes.people

    async def raising(conn: Any, keys: Any) -> Any:
        rows = await reading(conn, keys)
        if any(row["customer_tier"] == "Odd" for row in rows):
            raise error
        return rows

    monkeypatch.setattr(pushes, "people", raising)


def _acknowledging_raises(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    acknowledging = pushes.acknowledge

    async def raising(conn: Any, key: Any, held: Mapping[str, Any], **more: Any) -> None:
        if held["customer_tier"] == "Odd":
            raise error
        await acknowledging(conn, key, held, **more)

    monkeypatch.setattr(pushes, "acknowledge", raising)


@pytest.mark.parametrize(
    ("where", "raised"),
    [(_attributes_raise, raised) for raised in RAISED]
    + [(where, raised) for where in (_reading_raises, _acknowledging_raises) for raised in ("TypeError", "a NUL")],
)
async def test_a_person_whose_data_raises_is_set_aside_and_tried_again_with_the_next_mark(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, where: Callable[[pytest.MonkeyPatch, Exception], None], raised: str
) -> None:
    odd, well = await _people(bench)
    with monkeypatch.context() as broken, structlog.testing.capture_logs() as logs:
        where(broken, RAISED[raised])
        for _ in range(3):
            await bench.sender.shift()
    assert (await bench.mailbox(well), bench.count(well, "sent")) == ([], 1)
    assert [row["person"] for row in await bench.mailbox(odd)] == ["customer:odd"]
    assert (bench.count(odd, "sent"), bench.count(odd, "failed"), bench.count(odd, "waiting")) == (2, 1, 0)
    assert (await _error_of(bench, odd))[0] == "error"
    assert len([one for one in logs if one["event"] == "person_is_set_aside"]) == 1

    await bench.change(odd, "odd")
    await bench.sender.shift()
    assert await bench.mailbox(odd) == []
    assert await _error_of(bench, odd) == ("synced", None)


async def test_a_registration_at_the_end_of_all_days_is_no_obstacle(bench: Bench) -> None:
    """The usual "never" of merchandise systems, east of Greenwich."""
    store = await bench.store(timezone="Europe/Amsterdam")
    await bench.customer(store, registered_at=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    await bench.contact(store, customer_id="c1")
    await bench.change(store)
    await bench.sender.shift()
    assert await bench.mailbox(store) == []
    assert bench.api.attributes(host(store), 7)["customer_tier"] == "Gold"


@pytest.mark.parametrize(
    "held",
    [
        b'{"customer_tier":"Bronze","invoice_key":33333333333333333333333333333333333333333333}',
        rb'{"customer_tier":"Bronze","note":"a\u0000b\ud800"}',
        b'{"customer_tier":"Bronze","note":1e999}',
    ],
    ids=["a number of 44 digits", "a NUL and half a character", "a number beyond all floats"],
)
async def test_an_answer_with_a_value_that_postgresql_cannot_hold_is_kept_as_far_as_it_can(
    bench: Bench, held: bytes
) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    answer = b'{"payload":{"id":7,"identifier":"c1","custom_attributes":%s}}' % held
    bench.api.fault = httpx.Response(200, content=answer, headers={"content-type": "application/json; charset=utf-8"})
    await bench.change(store)
    await bench.sender.shift()
    assert (await bench.mailbox(store), bench.count(store, "sent")) == ([], 1)


async def test_an_answer_that_is_no_contact_concerns_that_person_alone(bench: Bench) -> None:
    odd, _ = await _people(bench)
    answer = bench.api.answer

    async def odd_one_is_none(request: httpx.Request) -> httpx.Response:
        if request.url.host == host(odd) and request.url.path.endswith("/contacts/2"):
            return httpx.Response(200, json={"payload": {"id": ["none"]}})
        return await answer(request)

    _let_answer(bench, odd_one_is_none)
    await bench.sender.shift()
    assert [row["person"] for row in await bench.mailbox(odd)] == ["customer:odd"]
    status, reason = await _error_of(bench, odd)
    assert (status, "Chatwoot's answer is no contact: payload.id" in (reason or "")) == ("error", True)


async def test_a_name_in_the_mailbox_that_no_contact_can_have_is_no_obstacle(bench: Bench) -> None:
    store = await bench.store()
    async with scoped(bench.pool, {store}) as conn:
        for name in ("99999999999", "4294967296", "9" * 5000, "\u0663", "0x7"):
            await conn.execute("insert into wootstream.due values ($1, $2)", store, f"contact:{name}")
        await conn.execute("update wootstream.due set not_before = now()")
    await bench.sender.shift()
    assert await bench.mailbox(store) == []


async def test_a_server_that_takes_its_time_holds_up_no_other_even_when_the_shift_is_over(bench: Bench) -> None:
    slow, well = await bench.store(), await bench.store()
    for store in (slow, well):
        await bench.customer(store)
        await bench.contact(store, customer_id="c1")
    hangs, go_on, answer = asyncio.Event(), asyncio.Event(), bench.api.answer

    async def slowly(request: httpx.Request) -> httpx.Response:
        if request.url.host == host(slow):
            hangs.set()
            await go_on.wait()
        return await answer(request)

    _let_answer(bench, slowly)
    await bench.change(slow)
    shift = asyncio.create_task(bench.sender.shift())
    await hangs.wait()
    bench.clock.seconds += 6  # the shift is over
    await bench.change(well)
    await eventually(lambda: _is_empty(bench, well))
    go_on.set()
    await shift
    assert await bench.mailbox(slow) == []


def _let_answer(bench: Bench, answer: Any) -> None:
    settings, registry = bench.process.settings, bench.process.registry.__class__()
    bench.process.chatwoot = Chatwoot(settings, bench.clock, registry, Answering(answer))


async def _is_empty(bench: Bench, store: uuid.UUID) -> bool:
    return await bench.mailbox(store) == []


async def test_marks_made_while_a_person_is_sent_are_counted_once(bench: Bench) -> None:
    store = await bench.store()
    await bench.customer(store)
    await bench.contact(store, customer_id="c1")
    for count in range(3):
        await bench.change(store, order_count=count)
    answer = bench.api.answer

    async def and_meanwhile(request: httpx.Request) -> httpx.Response:
        if not bench.made(store):
            await bench.change(store, order_count=9)
        return await answer(request)

    _let_answer(bench, and_meanwhile)
    await bench.sender.shift()
    assert (bench.count(store, "sent"), bench.count(store, "saved")) == (2, 2)  # of four marks


async def test_formats_that_only_a_later_release_knows_stop_nobody(bench: Bench) -> None:
    later, well = await bench.store(formats={"money": "2450", "mood": "x"}), await bench.store()
    for store in (later, well):
        await bench.customer(store)
        await bench.contact(store, customer_id="c1")
        await bench.change(store)
    await bench.sender.shift()
    assert {bench.api.attributes(host(store), 7)["total_spent"] for store in (later, well)} == {"€0.00"}


async def test_whose_rows_take_postgresql_too_long_are_set_aside_and_other_stores_are_through_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million orders of one customer: the statement is cancelled, as it would be the next time."""
    odd, well = await _people(bench)
    reading, asked = pushes.people, list[set[uuid.UUID]]()

    async def slow(conn: Any, keys: Any) -> Any:
        rows = await reading(conn, keys)
        asked.append({row["organization_id"] for row in rows})
        if any(row["customer_tier"] == "Odd" for row in rows):
            await conn.execute("select set_config('statement_timeout', '10ms', true)")
            await conn.execute("select pg_sleep(1)")
        return rows

    with monkeypatch.context() as broken:
        broken.setattr(pushes, "people", slow)
        await bench.sender.shift()
    assert asked.count({well}) == 1  # and not person by person
    assert (await bench.mailbox(well), bench.count(well, "sent")) == ([], 1)
    assert (bench.count(odd, "sent"), bench.count(odd, "failed")) == (2, 1)
    assert "QueryCanceled" in str((await _error_of(bench, odd))[1])


async def test_no_statement_about_people_works_for_longer_than_a_server_can_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, _ = await _people(bench)
    reading, allowed = pushes.people, list[str]()

    async def watched(conn: Any, keys: Any) -> Any:
        allowed.append(await conn.fetchval("show statement_timeout"))
        return await reading(conn, keys)

    monkeypatch.setattr(pushes, "people", watched)
    await bench.sender.shift()
    assert {*allowed} == {"5s"}
    assert bench.count(odd, "sent") == 3


async def test_a_server_whose_round_fails_ends_no_round_of_another(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, well = await _people(bench)
    ready = mailbox.ready

    async def locked(conn: Any, stores: Any, *, limit: int) -> Any:
        if odd in stores:
            raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
        await asyncio.sleep(0.05)
        return await ready(conn, stores, limit=limit)

    monkeypatch.setattr(mailbox, "ready", locked)
    with pytest.raises(asyncpg.LockNotAvailableError):  # told once the shift is over
        await bench.sender.shift()
    assert (await bench.mailbox(well), bench.count(well, "sent")) == ([], 1)

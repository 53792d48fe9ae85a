"""Dead letters: seen without personal data, sent again once and never twice, forgotten when discarded."""

import getpass
import os
import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from db.pool import Connection
from db.records.dead_letters import STORE_BYTES_CAP, LetterFilter
from services.control.dead_letters.redrive import Redriven, redrive
from services.control.ledger.topic_logs import look
from services.kernel import Record, Refusal, Stop
from services.kernel.forgetting.subjects import Subject
from services.kernel.kafka.topics import Admin, ensure_topics
from tests.kernel_bench import Bench, Number
from tests.services.control.verbs import answer, call
from tests.services.ingress.bench import held
from tests.services.kernel.sealing.sealed_bench import sealer_of

SECRET = "jan@shop.example"


def poison(bench: Bench, n: int = -1) -> Record:
    """PostgreSQL refuses it until the sink's check is gone; it names a person."""
    return bench.record(None, value=b'{"n": %d, "email": "%s"}' % (n, SECRET.encode()))


async def set_aside(bench: Bench, *records: Record) -> list[dict[str, Any]]:
    before = await bench.total("consumed")
    async with bench.consuming():
        await bench.send_records(records)
        await bench.until("consumed", before + len(records))
    return await bench.dead()


async def mend(bench: Bench) -> None:
    await bench.admin.execute(f"alter table wootstream.{bench.sink} drop constraint {bench.sink}_n_check")


async def send_again(bench: Bench, *, limit: int | None = None, **wanted: Any) -> Redriven:
    return await redrive(
        bench.settings, LetterFilter(**wanted), store=None, limit=limit, advance=lambda _done, _all: None
    )


async def test_letters_are_counted_by_reason_and_store(bench: Bench) -> None:
    stranger = bench.record(None, value=b"hello")
    stranger.headers = tuple((name, b"?" if name == "store" else text) for name, text in stranger.headers)
    await set_aside(bench, poison(bench), poison(bench), bench.record(None, value=b"hello"), stranger)

    told = {one["kind"]: one for one in await answer("dead-letters", "list")}

    assert {kind: one["letters"] for kind, one in told.items()} == {"refused": 2, "unreadable": 2}
    assert "(unreadable)" in told["unreadable"]["stores"]
    assert "23514" in told["refused"]["reason"]
    (narrow,) = await answer("dead-letters", "list", "--reason", "23514", "--since", "1h")
    assert narrow["letters"] == 2


async def test_letter_is_shown_without_the_person_and_revealing_is_written_down(bench: Bench) -> None:
    (letter,) = await set_aside(bench, poison(bench))

    shown = await call("dead-letters", "show", str(letter["id"]), "--json")
    looked = await bench.admin.fetch("select * from wootstream.audit_log")
    revealed = await call("dead-letters", "show", str(letter["id"]), "--json", "--reveal")

    assert (SECRET in shown.stdout, list(looked), SECRET in revealed.stdout) == (False, [], True)
    row = await bench.admin.fetchrow("select actor, organization_id, object from wootstream.audit_log")
    assert tuple(row) == (getpass.getuser(), bench.store, f"dead letter {letter['id']}")


async def test_a_sealed_stores_letter_is_shown_as_it_was_taken_and_sent_again_sealed(bench: Bench) -> None:
    sealer = await sealer_of(bench)
    sent = sealer.sealed(poison(bench), [Subject("email", SECRET)])
    (letter,) = await set_aside(bench, sent)
    assert SECRET.encode() not in letter["record_value"]

    shown = await answer("dead-letters", "show", str(letter["id"]))
    revealed = await call("dead-letters", "show", str(letter["id"]), "--json", "--reveal")
    await mend(bench)
    assert (await send_again(bench)).sent == 1
    async with bench.consuming():
        await bench.until("applied", 1)

    assert (sorted(shown["value"]), SECRET in revealed.stdout) == (["email", "n"], True)
    again = await held(bench.settings, bench.topic, bench.store)
    assert [(one.is_closed, one.value) for one in again] == [(True, sent.value)] * 2
    assert await bench.stored() == [-1]


async def test_mended_record_sent_again_is_applied_once_with_its_headers_also_those_that_repeat(bench: Bench) -> None:
    sent = poison(bench)
    sent.headers = (*sent.headers, ("trace", b"a"), ("origin", b"other"), ("trace", b"b"), ("trace", b"a"))
    await set_aside(bench, sent, bench.record(1))
    await mend(bench)
    seen: list[Record] = []

    async def apply(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        seen.extend(event.record for event in events)
        return await bench.apply(conn, events)

    async with bench.consuming(apply=apply):
        first, again = await send_again(bench), await send_again(bench)
        await bench.until("applied", 2)

    assert ((first.sent, again.sent), await bench.stored()) == ((1, 0), [-1, 1])
    assert (seen[0].key, seen[0].value, seen[0].headers) == (sent.key, sent.value, sent.coming_from("redrive").headers)
    assert (sent.origin, seen[0].origin, seen[0].headers[-3:]) == ("shop", "redrive", sent.headers[-3:])


async def test_record_that_kafka_refuses_for_good_stays_a_letter_and_the_others_are_sent(bench: Bench) -> None:
    large = bench.record(None, value=b'{"n": -1, "text": "%s"}' % os.urandom(50_000).hex().encode())
    await set_aside(bench, large, poison(bench))
    await ensure_topics(bench.settings, [replace(bench.topic, extra={"max.message.bytes": "20000"})])

    done = await send_again(bench)

    assert (done.sent, done.refused) == (1, 1)
    assert [one["redriven_at"] is None for one in await bench.dead()] == [True, False]


async def test_record_that_still_fails_is_one_open_letter_however_often_it_is_sent(bench: Bench) -> None:
    await set_aside(bench, poison(bench))
    async with bench.consuming():
        for round_ in (1, 2):
            assert (await send_again(bench)).sent == 1
            await bench.until("dead", 1 + round_)
    waiting = [one for one in await bench.dead() if one["redriven_at"] is None]
    assert len(waiting) == 1
    assert [one["letters"] for one in await answer("dead-letters", "list")] == [1]


@pytest.mark.parametrize("limit", [None, 1], ids=["all its letters", "one of its letters"])
async def test_record_that_two_groups_refused_twice_is_sent_once(limit: int | None, bench: Bench) -> None:
    twice = poison(bench)
    (letter, *_) = await set_aside(bench, twice, twice)
    bench.group += "-too"
    async with bench.consuming():
        await bench.until("dead", 2)

    assert (await send_again(bench, limit=limit)).sent == (limit or 4)

    place = (bench.topic.name, letter["partition"])
    assert (await look(bench.settings, [bench.topic.name])).logs[place].end == letter["record_offset"] + 3
    assert await answer("dead-letters", "list") == []


async def test_redrive_that_dies_before_it_marks_repeats_and_the_content_key_absorbs_it(bench: Bench) -> None:
    await set_aside(bench, poison(bench))
    await mend(bench)
    await bench.admin.execute(f"create unique index on wootstream.{bench.sink} (n)")

    async def apply(conn: Connection, events: Sequence[Number]) -> Collection[Record]:
        insert = f"insert into wootstream.{bench.sink} values ($1, $2) on conflict do nothing returning n"  # noqa: S608
        return {one.record for one in events if await conn.fetchval(insert, bench.store, one.n) is not None}

    async with bench.consuming(apply=apply):
        await bench.admin.execute("revoke update on wootstream.dead_letters from wootstream_service")
        with pytest.raises(Stop, match="42501"):
            await send_again(bench)
        await bench.admin.execute("grant update on wootstream.dead_letters to wootstream_service")
        assert (await send_again(bench)).sent == 1
        await bench.until("consumed", 3)

    assert (await bench.stored(), await bench.total("applied"), await bench.total("duplicate")) == ([-1], 1, 1)


async def test_discarded_letter_forgets_what_the_record_said_and_is_never_sent(bench: Bench) -> None:
    await set_aside(bench, poison(bench), bench.record(None, value=b"hello"))

    dry = await answer("dead-letters", "discard", "--reason", "23514", "--dry-run")
    done = await answer("dead-letters", "discard", "--reason", "23514", "--yes")

    assert ([one["letters"] for one in dry], done) == ([1], {"discarded": 1})
    (row,) = (one for one in await bench.dead() if one["discarded_at"])
    assert (row["record_key"], row["record_value"], row["record_headers"]) == (None, None, None)
    assert (await send_again(bench, ids=(row["id"],))).sent == 0
    assert [one["kind"] for one in await answer("dead-letters", "list")] == ["unreadable"]


@pytest.mark.parametrize("narrowing", ["--store", "--reason", "--since"])
async def test_an_option_that_a_scripts_unset_variable_left_empty_does_not_choose_everything(
    bench: Bench, narrowing: str
) -> None:
    await set_aside(bench, poison(bench))
    with pytest.raises(Refusal):
        await answer("dead-letters", "discard", narrowing, "", "--yes")
    assert [one["discarded_at"] for one in await bench.dead()] == [None]


@pytest.mark.parametrize(
    "verb",
    [
        ("report", "--store", ""), ("report", "widget", "--store", ""), ("report", "compare", "--store", ""),
        ("partitions", "rebuild", ""), ("tail", "--once", "--store", ""),
        ("audit-log", "--store", ""), ("people", "list", "--store", ""), ("push", "diff", ""), ("push", "drift", ""),
        ("push", "mode", "", "off"), ("stores", "show", ""), ("stores", "set", "", "seal", "true"),
        ("explain", "conversation", "", "17"), ("export", "customers", ""), ("privacy", "find", "", "customer:c1"),
    ],
    ids=" ".join,
)  # fmt: skip
async def test_an_empty_name_is_no_stores_and_never_means_all_of_them(bench: Bench, verb: tuple[str, ...]) -> None:
    with pytest.raises(Refusal, match="there is no store ''"):
        await call(*verb)


async def test_what_a_question_is_about_is_no_part_of_the_json(bench: Bench) -> None:
    await set_aside(bench, poison(bench))
    asked = await call("dead-letters", "discard", "--json", given=b"y\n")
    assert ("23514" in asked.stdout, "23514" in asked.stderr) == (False, True)
    assert orjson.loads(asked.stdout.splitlines()[-1]) == {"discarded": 1}  # above it the runner shows what was typed


async def test_beyond_the_stores_cap_the_bytes_come_from_the_topic_while_it_has_them(bench: Bench) -> None:
    await bench.admin.execute(
        "insert into wootstream.dead_letters (organization_id, consumer_group, topic, partition, era, record_offset,"
        " kind, reason, record_value, value_bytes) values ($1, 'other', 'other', 0, 1, 0, 'refused', 'full', '', $2)",
        bench.store, STORE_BYTES_CAP,
    )  # fmt: skip
    first, second = await set_aside(bench, poison(bench), poison(bench, n=-2))
    await mend(bench)
    async with Admin(bench.settings) as admin:
        place = TopicPartition(bench.topic.name, first["partition"])
        await admin.delete_records({place: RecordsToDelete(before_offset=second["record_offset"])})

    done = await send_again(bench, reason="23514")
    async with bench.consuming():
        await bench.until("applied", 1)

    assert (first["record_value"], second["record_value"], done.sent, done.gone) == (None, None, 1, 1)
    assert await bench.stored() == [-2]


async def test_letter_of_a_store_that_does_not_exist_is_listed_and_that_of_another_store_is_not(bench: Bench) -> None:
    stranger = uuid.uuid4()
    unread = bench.record(None, value=b"hello")
    unread.headers = tuple((name, str(stranger).encode() if name == "store" else text) for name, text in unread.headers)
    await set_aside(bench, poison(bench), unread)

    told = await answer("dead-letters", "list")
    mine = await answer("dead-letters", "list", "--store", f"bench-{bench.topic.name.removeprefix('bench.')}")

    assert {store for one in told for store in one["stores"]} >= {str(stranger)}
    assert [(one["kind"], one["letters"]) for one in mine] == [("refused", 1)]


async def test_dry_run_sends_nothing(bench: Bench) -> None:
    await set_aside(bench, poison(bench), poison(bench))
    (told,) = await answer("dead-letters", "redrive", "--dry-run", "--max", "1")
    assert told["letters"] == 1
    assert (await answer("dead-letters", "redrive", "--max", "1"))["sent"] == 1
    assert [one["redriven_at"] is None for one in await bench.dead()] == [False, True]

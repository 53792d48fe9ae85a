"""A store in shadow calls nobody, and `push diff` is, to the last key, what it sends once it is live."""

from collections import defaultdict
from typing import Any

import pytest

from tests.services.contacts.bench import Bench, host
from tests.services.control.verbs import answer, call

_PEOPLE = 4


async def test_push_diff_is_what_live_sends(bench: Bench, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    store = await bench.store(push="shadow")
    slug = f"shop-{store.hex[:12]}"
    for number in range(1, _PEOPLE + 1):
        await bench.customer(store, f"c{number}", order_count=number, spent={"EUR": number * 100})
        # Of one key we wrote before there is nothing to say any more, and one is an agent's own.
        held = {"customer_tier": ("Silver", "Gold")[number % 2], "preferred_language": "nl", "note": "x"}
        await bench.contact(
            store, number, customer_id=f"c{number}", cached_attributes=held, written_keys=["preferred_language"]
        )
        await bench.change(store, f"c{number}")
    await bench.sender.shift()
    assert bench.api.made(host(store)) == []

    would_be: dict[int, dict[str, Any]] = defaultdict(dict)
    for line in (await answer("push", "diff", slug))["lines"]:
        would_be[line["contact"]][line["attribute"]] = line["would_be"]
    await call("push", "mode", slug, "live")
    await bench.ripen(store)
    await bench.sender.shift()
    sent: dict[int, dict[str, Any]] = defaultdict(dict)
    for path, body in bench.made(store):
        contact, _, removes = path.removeprefix("/").partition("/")
        attributes = body["custom_attributes"]
        sent[int(contact)] |= dict.fromkeys(attributes) if removes else attributes
    assert sent == would_be
    assert {one["preferred_language"] for one in sent.values()} == {None}
    assert len(sent) == _PEOPLE

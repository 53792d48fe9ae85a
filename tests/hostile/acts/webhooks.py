"""What a store's Chatwoot, or whoever has its secret, can post."""

import asyncio
from functools import cache
from typing import Any

import orjson

from tests.hostile.acts.named import named
from tests.hostile.tenant import Tenant
from tests.hostile.values import paths, strange, text, with_value
from tests.recordings.recorded import ALL_RUNS, account_webhooks
from tests.services.ingress.wire import request

_BODIES = 25
_LARGEST = 4 * 2**20  # what the door takes
# Seen to end a process: field → value.
_SEEN: tuple[tuple[str, Any], ...] = (
    ("created_at", 10**20), ("created_at", "@infinite"), ("created_at", "9999-12-31T23:59:59-14:00"),
    ("created_at", "2026-11-28T08:00:00"), ("updated_at", 1e300), ("updated_at", -1e300), ("id", 10**30),
    ("id", -1), ("id", 2**63), ("id", "@wide"), ("last_activity_at", 10**20), ("waiting_since", 10**20), ("timestamp",
    -(10**20)),
    ("snoozed_until", "9999-12-31T23:59:59-14:00"), ("first_reply_created_at", "0001-01-01T00:00:00+14:00"),
    ("inbox_id", 10**30), ("labels", ["x" * 10_000] * 300), ("priority", "@nul"), ("custom_attributes", {"a": "@wide"}),
    ("content_attributes", "@deep"), ("content_attributes", {"automation_rule_id": [1]}), ("additional_attributes",
    "x"),
    ("additional_attributes", {"campaign_id": {"a": 1}}), ("sender", {"id": 10**30, "type": ["x"]}),
    ("changed_attributes", [{"status": {"previous_value": 10**30, "current_value": {"a": "@deep"}}}]),
    ("changed_attributes", [{"status": {"previous_value": "open", "current_value": "resolved"}},
                            {"updated_at": {"previous_value": None, "current_value": "9999-12-31T23:59:59-14:00"}}]),
    ("changed_attributes", [{"waiting_since": {"previous_value": None, "current_value": "2026-11-28T08:00:00"}},
                            {"assignee_id": {"previous_value": "x", "current_value": 10**30}},
                            {"updated_at": {"previous_value": None, "current_value": "2026-11-28T08:00:00"}}]),
)  # fmt: skip


@cache
def _recorded() -> dict[str, list[dict[str, Any]]]:
    """Bodies by their event."""
    found: dict[str, list[dict[str, Any]]] = {}
    for run in ALL_RUNS:
        for one in account_webhooks(run):
            if len(one.body) < 16_384:
                found.setdefault(one.event, []).append(orjson.loads(one.body))
    return found


def _body(tenant: Tenant, event: str | None = None) -> dict[str, Any]:
    """A recorded body as this tenant's Chatwoot would send it."""
    by_event = _recorded()
    body = dict(tenant.chance.choice(by_event[event or tenant.chance.choice(sorted(by_event))]))
    if isinstance(body.get("account"), dict):
        body["account"] = {"id": tenant.store.account_id, "name": "x"}
    return body


async def strange_webhooks(tenant: Tenant) -> None:
    """Recorded bodies with strange values anywhere in them."""
    for _ in range(_BODIES):
        await tenant.webhook(strange(_body(tenant), tenant.chance))


async def webhooks_seen_to_harm(tenant: Tenant) -> None:
    """Every value that ended a process once, at every depth where its field is."""
    for field, value in _SEEN:
        for event in ("message_created", "conversation_updated", "contact_updated"):
            body = _body(tenant, event)
            places = [path for path in paths(body) if path[-1] == field and path != ("account", "id")]
            for place in places[:3]:
                await tenant.webhook(text(with_value(body, place, value)))


async def wide_number_in_a_contact(tenant: Tenant) -> None:
    """Field case 03, and its like in every field that Chatwoot passes through."""
    for odd in ("@wide", "@huge", "@infinite", "@nul", "@surrogate", "@deep", "@nested", [10**30], {"a\0": 1}):
        body = _body(tenant, "contact_updated") | {"id": tenant.chance.randrange(10**6)}
        for field in ("custom_attributes", "additional_attributes"):
            await tenant.webhook(text(body | {field: {"loyalty_points": odd}}))
        await tenant.webhook(text(body | {"identifier": odd, "email": odd, "phone_number": odd}))


async def conversations_of_one_id(tenant: Tenant) -> None:
    """One conversation that changes its inbox, its birth and its person with every webhook."""
    for number in range(_BODIES):
        body = _body(tenant, "conversation_updated") | {"id": 1, "inbox_id": number}
        await tenant.webhook(text(body | {"created_at": tenant.chance.choice((0, 1, 2**31, 2**40, 4e9))}))


async def many_changes(tenant: Tenant) -> None:
    """One webhook with ten thousand steps of a status."""
    step = {"status": {"previous_value": "open", "current_value": "resolved"}}
    body = _body(tenant, "conversation_updated")
    await tenant.webhook(text(body | {"changed_attributes": [step] * 10_000}))
    await tenant.webhook(text(body | {"messages": [{"id": number} for number in range(50_000)]}))


async def bodies_that_are_no_json(tenant: Tenant) -> None:
    """Rightly signed, all of them."""
    whole = text(_body(tenant, "message_created"))
    for body in (
        b"", b"null", b"1" * 5000, b'"x"', b"[]", b"{}", b"{" * 100_000, b"[" * 100_000, b'{"a":' * 50_000,
        b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf" + whole, whole.decode().encode("utf-16"), whole[:-1], whole + b"}", whole * 2, b"\0" * 1000,
        b'{"event":"message_created","event":"contact_created"}', b'{"event":' + b'"x' * 3 + b"}",
        b'{"event":["message_created"]}',
        b'{"event":"message_created","account":{"id":1e400}}', b'{"event":"message_created","account":"x"}',
        b'{"event":"' + b"x" * 100_000 + b'"}', b'{"event":"\\u001b[2J\\u0000"}', b'{"event":"\\ud83d"}',
        '{"event":"é"}'.encode(),
        b'{"event":"message_created","conversation":{"id":"' + b"9" * 5000 + b'"}}',
        b'{"event":"message_created","conversation":{"id":' + b"9" * 5000 + b"}}",
        b'{"event":"contact_created","id":' + b"9" * 400 + b"}", b'{"event":"contact_created","id":{"a":1}}',
    ):  # fmt: skip
        await tenant.webhook(body)


async def large_webhooks(tenant: Tenant) -> None:
    """Of the size that the door takes, one byte above, and of a size that grows where it is written again."""
    base = _body(tenant, "message_created")
    for size in (_LARGEST, _LARGEST + 1, 2 * _LARGEST):
        room = size - len(text(base | {"content": ""}))
        await tenant.webhook(text(base | {"content": "x" * room}))
    await tenant.webhook(text(base | {"numbers": 0})[:-2] + b"[" + b"1e22," * 700_000 + b"1]}")
    await tenant.webhook(text(base | {"numbers": 0})[:-2] + b"[" + b'"\\u003c",' * 300_000 + b"1]}")


async def many_large_webhooks(tenant: Tenant) -> None:
    """Twelve of the largest at once: fifty megabytes on their way to Kafka."""
    base = _body(tenant, "message_created")
    body = text(base | {"content": "x" * (_LARGEST - 20_000)})
    await asyncio.gather(*(tenant.webhook(body) for _ in range(12)))


async def a_burst(tenant: Tenant) -> None:
    """Three hundred webhooks at once, ten times what a busy Chatwoot sends."""
    await asyncio.gather(*(tenant.webhook(text(_body(tenant))) for _ in range(300)))


async def the_same_again(tenant: Tenant) -> None:
    """One webhook, two hundred times over one connection."""
    body = text(_body(tenant))
    async with tenant.connection() as line:
        for _ in range(200):
            if not await tenant.answered(line, request(tenant.store.door, tenant.signed(body), body)):
                return


async def for_somebody_else(tenant: Tenant) -> None:
    """This tenant's secret at another store's door, and another store's account in this tenant's body."""
    body = _body(tenant, "message_created")
    for account in (3, 10**30, "3", None, [3], 3.0, True):
        await tenant.webhook(text(body | {"account": {"id": account}}))
    raw = text(body)
    door = f"/webhooks/chatwoot/{tenant.target.honest_slug}"
    for _ in range(20):
        await tenant.ask(request(door, tenant.signed(raw), raw))


async def unknown_stores(tenant: Tenant) -> None:
    """Names that nobody has: each asks the database once, if nobody minds."""
    raw = text(_body(tenant))

    async def knock(name: str) -> None:
        await tenant.ask(request(f"/webhooks/chatwoot/{name}", tenant.signed(raw), raw))

    names = [f"shop-{tenant.chance.getrandbits(48):x}" for _ in range(100)]
    names += ["%00", "%ff", "..", "x" * 5000, "%2e%2e%2fx", "é", "shop/../../x", "%0d%0aset-cookie:%20a=b"]
    await asyncio.gather(*map(knock, names))


async def wrong_signatures(tenant: Tenant) -> None:
    """Near misses, and what a signature is not."""
    raw = text(_body(tenant))
    right = tenant.signed(raw)
    stamp, signature = right["x-chatwoot-timestamp"], right["x-chatwoot-signature"]
    stamps = (stamp, "", "0", "-1", "9" * 400, "1e3", "0x1", "٣", f" {stamp}", f"+{stamp}", f"{stamp}.0", "nan")
    signatures = (
        signature,
        "",
        "sha256=",
        signature.upper(),
        signature[:-1],
        f"{signature},{signature}",
        "sha1=0",
        "é" * 64,
    )
    for one in stamps:
        for other in signatures:
            headers = right | {"x-chatwoot-timestamp": one, "x-chatwoot-signature": other}
            await tenant.ask(request(tenant.store.door, headers, raw))


ACTS = named(
    strange_webhooks, webhooks_seen_to_harm, wide_number_in_a_contact, conversations_of_one_id, many_changes,
    bodies_that_are_no_json, large_webhooks, many_large_webhooks, a_burst, the_same_again, for_somebody_else,
    unknown_stores, wrong_signatures,
)  # fmt: skip

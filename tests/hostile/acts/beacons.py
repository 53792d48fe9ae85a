"""What a page, or a program that pretends to be one, can post and ask."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from local.demo.visitors import event_id
from tests.hostile.acts.named import named
from tests.hostile.tenant import Tenant, beacon_post
from tests.hostile.values import VALUES, strange, text

_LARGEST = 64 * 1024  # what the door takes
_DEPTHS = (100, 252, 255, 500, 1000, 5000, 10_000)


def _event(**fields: Any) -> dict[str, Any]:
    return {
        "id": event_id(datetime.now(UTC)),
        "event_type": "page_viewed",
        "page_url": "https://shop.example/",
    } | fields


async def deep_event_data(tenant: Tenant) -> None:
    """Lists in lists, objects in objects."""
    token = await tenant.token()
    for depth in _DEPTHS:
        for opened, closed in ((b"[", b"]"), (b'{"a":', b"}")):
            deep = opened * depth + b"1" + closed * depth
            body = beacon_post(token, [_event(event_data={"a": "@"})]).replace(b'"@"', deep)
            await tenant.beacon_body(body)


async def strange_events(tenant: Tenant) -> None:
    """Events with strange values anywhere in them, alone and among good ones."""
    token = await tenant.token()
    whole = _event(
        event_type="cart_updated", event_data={"value_minor": 1, "currency": "EUR", "items": 2}, load_time_ms=3
    )
    for _ in range(25):
        odd = strange(whole, tenant.chance)
        body = beacon_post(token, ["@", _event()]).replace(b'"@"', odd)
        await tenant.beacon_body(body)


async def strange_posts(tenant: Tenant) -> None:
    """Everything but the events."""
    token = await tenant.token()
    post = {"token": token, "consent": ["analytics"], "events": [_event()]}
    for field in post:
        for value in VALUES:
            await tenant.beacon_body(text(post | {field: value}))


async def odd_moments(tenant: Tenant) -> None:
    """Ids whose moments are far, and ids that are none of ours."""
    token, now = await tenant.token(), datetime.now(UTC)
    moments = [now + timedelta(days=days) for days in (-10_000, -3, 1, 10_000, 1_000_000)]
    ids = [
        *map(event_id, moments),
        str(uuid.UUID(int=2**128 - 1)),
        str(uuid.UUID(int=0)),
        str(uuid.uuid4()),
        "x" * 1000,
    ]
    await tenant.beacons(token, [_event(id=one) for one in ids])
    await tenant.beacons(token, [_event(id=ids[2])] * 100)


async def a_hundred_large_events(tenant: Tenant) -> None:
    """As many as a post may hold, as long as a post may be, each to be given the sender's longest headers."""
    token = await tenant.token()
    room = _LARGEST // 100 - 260
    events = [_event(event_data={"a": "x" * room}) for _ in range(100)]
    for _ in range(10):
        await tenant.beacons(token, events, user_agent="u" * 6000, x_forwarded_for="f" * 6000)


async def forwarded_addresses(tenant: Tenant) -> None:
    """What proxies write, what they do not, and what is no address."""
    token = await tenant.token()
    for said in (
        "1.2.3.4:5678", "[2001:db8::1]:443", "2001:db8::1", "unknown", "_hidden", "1.2.3.4, 5.6.7.8", "x" * 8000,
        "999.1.1.1",
        "'; drop table x; --", "127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4%eth0", ",,,,", "\x00", "fe80::1%25eth0",
    ):  # fmt: skip
        await tenant.beacons(token, [_event()], x_forwarded_for=said, forwarded=f"for={said}", x_real_ip=said)


async def many_sessions(tenant: Tenant) -> None:
    """New visitors without end: each asks for its page's configuration and posts once."""

    async def visit() -> None:
        session = str(uuid.UUID(int=tenant.chance.getrandbits(128), version=4))
        await tenant.beacons(await tenant.token(session), [_event(session_id=session)])

    for _ in range(5):
        await asyncio.gather(*(visit() for _ in range(20)))


async def spellings_of_a_token(tenant: Tenant) -> None:
    """One token, written in as many ways as a decoder takes."""
    token = await tenant.token()
    spellings = [token + "=" * number for number in range(5)] + [
        token + "\n",
        " " + token,
        token + "!",
        token.replace("-", "+"),
    ]
    spellings += [token[:-1] + last for last in "ABCDEFGH0123"] + [token.swapcase(), token + "A" * 5000, token[::-1]]
    for spelling in spellings:
        await tenant.beacons(spelling, [_event()] * 20)


async def invented_tokens(tenant: Tenant) -> None:
    """Names by the hundred that nobody gave out."""
    for _ in range(100):
        await tenant.beacons(f"{tenant.chance.getrandbits(900):x}", [_event()])


async def another_shops_page(tenant: Tenant) -> None:
    """The honest store's website token from a page of ours, and ours from nowhere."""
    for website_token in (tenant.target.honest_website_token, tenant.store.website_token, "x" * 5000, "%00", "%ff", ""):
        for origin in (
            "https://evil.example",
            "null",
            "",
            "https://shop.example:1",
            "é" * 100,
            "https://shop.example/",
        ):
            for query in (
                "",
                "?session=%00",
                "?session=" + "x" * 4000,
                "?customer=a&expires=1e9&proof=x",
                "?expires=" + "9" * 400,
            ):
                await tenant.get(f"/widget/{website_token}/config{query}", {"origin": origin})


ACTS = named(
    deep_event_data, strange_events, strange_posts, odd_moments, a_hundred_large_events, forwarded_addresses,
    many_sessions, spellings_of_a_token, invented_tokens, another_shops_page,
)  # fmt: skip

"""What the doors bear: slow senders, long heads, too many connections; and what every answer carries."""

import pytest

from db.pool import Pool
from services.kernel import Settings
from tests.eventually import eventually
from tests.services.ingress.bench import open_shop, serving
from tests.services.ingress.wire import request, wire

pytestmark = pytest.mark.usefixtures("topics")
_HALF_A_BODY = b"POST /webhooks/chatwoot/x HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"


async def test_a_body_that_does_not_come_is_answered_408(settings: Settings) -> None:
    hasty = settings.model_copy(update={"body_seconds": 0.05})

    async with serving(hasty, kafka=False) as (_, client), wire(str(client.base_url)) as line:
        status, _ = await line.ask(_HALF_A_BODY)
        metrics = (await client.get("/metrics")).text

    assert status == 408
    assert 'wootstream_refused_total{door="webhooks",reason="slow"} 1.0' in metrics


async def test_a_head_that_does_not_end_is_cut_off(settings: Settings) -> None:
    hasty = settings.model_copy(update={"head_seconds": 0.05})

    async with serving(hasty, kafka=False) as (process, _):
        for beginning in (b"", b"POST /beacons HTTP/1.1\r\nx-a: b"):
            async with wire(process.address) as line:
                assert await line.ask(beginning) == (0, b"")


@pytest.mark.parametrize("head", [b"x-a: " + b"a" * 400_000, b"x-a: b\r\n" * 101 + b"\r\n"])
async def test_a_head_that_is_too_long_is_answered_400(settings: Settings, head: bytes) -> None:
    async with serving(settings, kafka=False) as (process, _), wire(process.address) as line:
        status, _ = await line.ask(b"POST /beacons HTTP/1.1\r\n" + head)

    assert status == 400


async def test_connections_beyond_the_limit_are_closed_and_the_others_served(
    settings: Settings, admin_pool: Pool
) -> None:
    shop = await open_shop(admin_pool, settings)
    few = settings.model_copy(update={"http_connections": 2})
    unsigned = request(shop.door, {}, b"{}")

    async with serving(few, kafka=False) as (process, client):
        await client.aclose()
        async with wire(process.address) as first, wire(process.address) as second:
            assert [(await one.ask(unsigned))[0] for one in (first, second)] == [401, 401]
            async with wire(process.address) as third:
                assert (await third.ask(unsigned))[0] == 0
            assert (await first.ask(unsigned))[0] == 401

        async def room_again() -> bool:
            async with wire(process.address) as one:
                return (await one.ask(unsigned))[0] == 401

        await eventually(room_again)


async def test_no_answer_can_act_as_a_page_and_none_names_the_server(settings: Settings) -> None:
    async with serving(settings, kafka=False) as (_, client):
        answers = [
            await client.get(path) for path in ("/nothing", "/live", "/metrics", "/webhooks/chatwoot/x", "/beacons")
        ]

    assert [answer.status_code for answer in answers] == [404, 200, 200, 405, 405]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "server" not in answer.headers

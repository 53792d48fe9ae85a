"""What the doors bear: slow senders, long heads, too many connections; and what every answer carries."""

import pytest

from db.pool import Pool
from services.kernel import Settings
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
async def test_a_head_that_is_too_long_is_answered_431(settings: Settings, head: bytes) -> None:
    async with serving(settings, kafka=False) as (process, _), wire(process.address) as line:
        status, _ = await line.ask(b"POST /beacons HTTP/1.1\r\n" + head)

    assert status == 431


async def test_trailers_without_end_are_answered_400_though_most_of_them_is_never_read(settings: Settings) -> None:
    chunked = b"POST /beacons HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"

    async with serving(settings, kafka=False) as (process, _), wire(process.address) as line:
        status, _ = await line.ask(chunked + b"a: b\r\n" * 500_000)

    assert status == 400


async def test_at_the_limit_of_connections_a_new_one_is_served_in_the_place_of_an_idle_one(
    settings: Settings, admin_pool: Pool
) -> None:
    shop = await open_shop(admin_pool, settings)
    few = settings.model_copy(update={"http_connections": 2})
    unsigned = request(shop.door, {}, b"{}")

    async with serving(few, kafka=False) as (process, client):
        await client.aclose()
        async with wire(process.address) as first, wire(process.address) as second:
            assert [(await one.ask(unsigned))[0] for one in (second, first)] == [401, 401]
            async with wire(process.address) as third:
                assert [(await one.ask(unsigned))[0] for one in (third, first, second)] == [401, 401, 0]


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

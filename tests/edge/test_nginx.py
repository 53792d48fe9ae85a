"""nginx as it is deployed, before ingresses that tell what reaches them, and before a real one."""

import asyncio
import os
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from db.pool import Pool
from local.demo.visitors import PageVisitor
from local.stack.machine.ports import HOST, free_ports
from local.stack.servers import tls
from schemas import topics as topic_names
from services.ingress.doors.request import BEACON_BYTES, EVENTS_BYTES, WEBHOOK_BYTES
from services.kernel import Clock, Settings
from tests.clients.clients import run, tool
from tests.edge.real_nginx import NAME, NGINX, Edge, edge
from tests.edge.upstream import frozen, telling
from tests.services.ingress.bench import ORIGIN, held, open_shop, post_webhook, serving

pytestmark = pytest.mark.skipif(
    not (shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")),
    reason="nginx is missing (Debian: nginx-light)",
)
_HSTS = "max-age=63072000"
_TRUSTED, _STRANGER = "127.0.0.2", "127.0.0.3"
_DOORS = ("/webhooks/chatwoot/x", "/events/x", "/shopify/x", "/beacons", "/widget/x/config", "/api/stores/x/identity")
_INSIDE = (
    "/metrics",
    "/ready",
    "/live",
    "/api/stores",
    "/api/audit",
    "/api/stores/x",
    "/api/stores/x/identity/y",
    "/",
    "/beacons/x",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """nginx before a server that answers with what reached it; the network of one address is a proxy's."""
    folder = tmp_path_factory.mktemp("edge")
    (folder / "proxies").write_text(f"# one\n{_TRUSTED}/32\n")
    async with telling() as address, edge(folder, address, PROXY="cloudflare", PROXIES=str(folder / "proxies")) as one:
        yield one


async def test_tls_1_3_and_http_2_are_spoken_and_nothing_older(told: Edge) -> None:
    assert await told.handshake() == ("TLSv1.3", "h2")
    with pytest.raises(ssl.SSLError, match=r"PROTOCOL_VERSION|protocol version"):
        await told.handshake(most=ssl.TLSVersion.TLSv1_2)
    with pytest.raises(ssl.SSLError, match=r"UNRECOGNIZED_NAME|unrecognized name"):
        await told.handshake(name="stranger.example")


async def test_doors_are_reached_and_nothing_else(told: Edge) -> None:
    async with told.client() as client:
        outside = {path: (await client.get(path)).status_code for path in (*_DOORS, *_INSIDE)}
        answer = await client.get("/metrics")
    assert outside == dict.fromkeys(_DOORS, 200) | dict.fromkeys(_INSIDE, 404)
    assert answer.headers["strict-transport-security"] == _HSTS
    assert "nginx/" not in answer.headers["server"]


async def test_plain_http_leads_to_https_and_serves_challenges(told: Edge) -> None:
    challenge = told.folder / "challenges/.well-known/acme-challenge/token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("proof")
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{told.plain_port}") as client:
        led = await client.get("/beacons?x=1", headers={"host": "evil.example"})
        served = await client.get("/.well-known/acme-challenge/token")
    assert (led.status_code, led.headers["location"]) == (301, f"https://{NAME}/beacons?x=1")
    assert served.text == "proof"


async def test_the_word_of_a_proxy_of_ours_counts_and_nobody_elses(told: Edge) -> None:
    lies = {"cf-connecting-ip": "198.51.100.7", "x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9"}
    for source, address in ((_TRUSTED, "198.51.100.7"), (_STRANGER, _STRANGER)):
        async with told.client(source=source) as client:
            reached = (await client.get("/webhooks/chatwoot/x", headers=lies)).json()
        assert reached["x-forwarded-for"] == address
        assert reached["x-forwarded-proto"] == "https"
    async with told.client() as client:  # a header of Chatwoot's API has underscores
        assert (await client.get("/events/x", headers={"api_access_token": "t"})).json()["api_access_token"] == "t"


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/webhooks/chatwoot/x", WEBHOOK_BYTES),
        ("/events/x", EVENTS_BYTES),
        ("/shopify/x", EVENTS_BYTES),
        ("/beacons", BEACON_BYTES),
    ],
)
async def test_each_door_takes_as_much_as_its_ingress_would_and_no_byte_more(told: Edge, path: str, most: int) -> None:
    async with told.client() as client:
        assert (await client.post(path, content=b"x" * most)).status_code == 200
        assert (await client.post(path, content=b"x" * (most + 1))).status_code == 413


async def test_pages_are_limited_and_webhooks_and_shop_events_never(tmp_path: Path) -> None:
    async with (
        telling() as address,
        edge(tmp_path, address, PAGE_REQUESTS="1", PAGE_BURST="1") as limited,
        limited.client() as client,
    ):

        async def statuses(path: str) -> set[int]:
            return {answer.status_code for answer in await asyncio.gather(*(client.get(path) for _ in range(20)))}

        assert await statuses("/webhooks/chatwoot/x") == {200}
        assert await statuses("/events/x") == {200}
        assert 429 in await statuses("/widget/x/config")


async def test_a_page_reads_what_nginx_itself_answers_and_the_doors_answers_stay_theirs(tmp_path: Path) -> None:
    """A second of these headers would hide the ingress' own answer from its page."""
    (gone,) = free_ports(1)
    async with (
        telling() as address,
        edge(tmp_path / "up", address, PAGE_REQUESTS="1", PAGE_BURST="1") as limited,
        edge(tmp_path / "down", f"{HOST}:{gone}") as down,
        limited.client() as client,
        down.client() as other,
    ):
        few = await asyncio.gather(*(client.get("/widget/x/config") for _ in range(20)))
        answers = {
            "passed": next(one for one in few if one.status_code == 200),
            "limited": next(one for one in few if one.status_code == 429),
            "large": await client.post("/widget/x/config", content=b"x" * 2_000),
            "down": await other.post("/beacons", content=b"{}"),
        }

    told = {
        name: [one.headers.get(f"access-control-{what}") for what in ("allow-origin", "expose-headers")]
        for name, one in answers.items()
    }
    assert told == {
        "passed": [None, None], "limited": ["*", "retry-after"], "large": ["*", "retry-after"],
        "down": ["*", "retry-after"],
    }  # fmt: skip
    assert {name: one.headers.get("retry-after") for name, one in answers.items()} == {
        "passed": None, "limited": "1", "large": None, "down": "5",
    }  # fmt: skip
    assert {one.headers["strict-transport-security"] for one in answers.values()} == {_HSTS}
    assert {name: one.json().get("error") for name, one in answers.items()} == {
        "passed": None, "limited": "too many of these at once", "large": "too large", "down": "cannot be kept just now",
    }  # fmt: skip


async def test_the_other_ingress_answers_where_one_hangs_or_is_gone(tmp_path: Path) -> None:
    (gone,) = free_ports(1)
    async with telling() as well, frozen() as hangs:
        for number, bad in enumerate((hangs, f"{HOST}:{gone}")):
            async with edge(tmp_path / str(number), bad, well) as one, one.client() as client:
                answers = await asyncio.gather(*(client.post("/webhooks/chatwoot/x", content=b"{}") for _ in range(4)))
            assert [answer.status_code for answer in answers] == [200] * 4


async def test_with_no_ingress_programs_are_told_to_come_again_and_people_are_told_in_words(tmp_path: Path) -> None:
    (one, other) = free_ports(2)
    async with edge(tmp_path, f"{HOST}:{one}", f"{HOST}:{other}") as down, down.client() as client:
        program = await client.post("/webhooks/chatwoot/x", content=b"{}")
        person = await client.get("/widget/x/config", headers={"accept": "text/html,*/*"})
    for answer in (program, person):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.headers["strict-transport-security"] == _HSTS
    assert program.json() == {"error": "cannot be kept just now"}
    assert "Back in a moment" in person.text


async def test_origin_pulls_let_in_who_shows_a_certificate_of_that_authority(tmp_path: Path) -> None:
    made = tls.make(tmp_path / "cloudflare")
    async with telling() as address, edge(tmp_path / "edge", address, ORIGIN_PULL_CA=str(made.ca)) as one:
        async with one.client() as client:
            assert (await client.get("/events/x")).status_code == 400
        context = one.context()
        context.load_cert_chain(made.client)
        async with one.client(context=context) as client:
            assert (await client.get("/events/x")).status_code == 200


async def test_the_log_names_doors_and_networks_and_no_person_and_no_secret_path(told: Edge) -> None:
    async with told.client() as client:
        await client.get("/webhooks/chatwoot/shop/s3cret-token?v=q4ery")
    log = (told.folder / "access.log").read_text()
    assert '"door":"webhooks"' in log
    assert '"network":"127.0.0.0"' in log
    assert not any(secret in log for secret in ("s3cret", "q4ery", "127.0.0.1:" + str(told.port)))


async def test_what_is_rendered_is_refused_by_no_linter(told: Edge) -> None:
    program = tool("nginx", "nginx-light", also_in="/usr/sbin")
    await run(program, "-t", "-q", "-e", str(told.folder / "error.log"), "-c", str(told.folder / "nginx.conf"))
    await run(str(Path(sys.executable).parent / "gixy"), str(told.folder / "nginx.conf"))


async def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(AssertionError, match="no host name"):
        await run("env", "PUBLIC_NAME=shop.example; x", str(NGINX / "render"))


async def test_real_ingress_sees_the_visitor_behind_nginx_and_a_reload_refuses_nobody(
    settings: Settings, topics: list[str], admin_pool: Pool, tmp_path: Path
) -> None:
    shop = await open_shop(admin_pool, settings, keep_full_ip=True)
    behind = settings.model_copy(update={"proxy_hops": 1})
    async with (
        serving(behind) as (process, _),
        edge(tmp_path, process.address.removeprefix("http://")) as one,
        one.client(source=_STRANGER) as client,
    ):
        client.headers["x-forwarded-for"] = "203.0.113.9"
        # As Chatwoot, which begins a connection for each: a worker that is told to end closes those that are idle, and
        # a request that is just then on its way there is nobody's.
        client.headers["connection"] = "close"
        visitor = PageVisitor(client, shop.website_token, ORIGIN, Clock())
        assert (await visitor.arrive()).status_code == 200
        assert (await visitor.report(visitor.event("page_viewed", page_url=f"{ORIGIN}/"))).status_code == 204

        async def post(number: int) -> int:
            if number % 20 == 10:
                one.reload()
            body = b'{"event":"message_created","id":%d,"account":{"id":3},"conversation":{"id":7}}' % number
            return (await post_webhook(client, shop, body, at=datetime.now(UTC))).status_code

        statuses: list[int] = []
        for start in range(0, 60, 6):
            statuses += await asyncio.gather(*map(post, range(start, start + 6)))

    assert statuses == [204] * 60
    (beacon,) = await held(settings, topic_names.WIDGET_EVENTS, shop.id)
    assert _STRANGER.encode() in beacon.value
    assert b"203.0.113.9" not in beacon.value


@pytest.mark.parametrize(
    ("built_with", "proxy", "offered"),
    [("--with-http_v3_module", "none", True), ("--with-http_v3_module", "cloudflare", False), ("", "none", False)],
)
async def test_http_3_is_offered_where_nginx_has_it_and_no_proxy_stands_before_it(
    tmp_path: Path, built_with: str, proxy: str, offered: bool
) -> None:
    """`make image` asks a real one."""
    program = tmp_path / "nginx"
    program.write_text(f"#!/bin/sh\necho 'nginx version: nginx/1.28.0\nconfigure arguments: {built_with}' >&2\n")
    program.chmod(0o755)
    path = f"PATH={tmp_path}:{os.environ['PATH']}"
    said = await run("env", path, "PUBLIC_NAME=shop.example", f"PROXY={proxy}", str(NGINX / "render"))
    assert said.count(" quic") == (2 if offered else 0)
    assert ("Alt-Svc" in said) is offered
    assert "http2 on;" in said

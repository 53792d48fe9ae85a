"""Secrets are in nothing that others read: logs, answers, metrics, crash reports, files, tables, topics, reprs."""

import asyncio
import base64
import io
import secrets
import sys
import threading
import traceback
import uuid
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import orjson
import pytest

from db.address import read
from db.pool import Pool, use_json
from local.demo.shop import Shop as Backend
from local.demo.shop import shop_event
from local.demo.visitors import PageVisitor
from local.stack import Stack
from schemas import topics
from schemas.stores import StoreOptions
from services.cli import main
from services.control.stores import attach
from services.ingress.stores.store import opened
from services.kernel import Clock, Settings
from services.kernel.secrets import load_secrets
from tests.databases import copied_database
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.newest import begin_at_the_end
from tests.services.attached import attach as attach_row
from tests.services.control.conftest import point_at
from tests.services.ingress.bench import ORIGIN, Shop, held, post_webhook
from tests.services.ingress.running import running

pytestmark = pytest.mark.usefixtures("topics")
_BODIES = (
    b'{"event":"message_created","account":{"id":%d},"conversation":{"id":7}}',
    b'{"event":"conversation_created","account":{"id":%d},"id":"no number"}',
)
_COLUMNS = """
select c.relname as name, n.nspname as schema from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname in ('public', 'wootstream', 'auth')
"""
_VERBS = (
    "settings", "settings --json", "stores list", "stores list --json", "keys list", "keys list --json", "spool status",
    "audit", "audit --json", "report", "report --json", "report compare", "push diff", "dead-letters list",
    "explain conversation signed 7", "people list", "people token list",
)  # fmt: skip


class Canaries:
    """Each planted once; found again as it is, in hexadecimal, in base64 or in a URL."""

    def __init__(self) -> None:
        self.planted: dict[str, str] = {}

    def new(self, where: str, *, prefix: str = "") -> str:
        text = base64.b64encode(secrets.token_bytes(24)).decode()
        return self.keep(where, prefix + text.replace("/", "A").replace("+", "B"))

    def keep(self, where: str, text: str) -> str:
        self.planted[where] = text
        return text

    def found(self, text: str) -> list[str]:
        return [where for where, secret in self.planted.items() for form in _forms(secret) if form in text]


def _forms(secret: str) -> tuple[str, ...]:
    raw = secret.removeprefix("whsec_").encode()
    return (raw.decode(), raw.hex(), base64.b64encode(raw).decode().rstrip("="), httpx.QueryParams({"q": raw})["q"])


@contextmanager
def echoing() -> Iterator[tuple[str, list[str]]]:
    """A Chatwoot that answers every call with the token it was told, and a Sentry; its address and what it heard."""
    heard: list[str] = []

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            body = zlib.decompress(body, 47) if self.headers.get("content-encoding") == "gzip" else body
            heard.append(f"{self.path} {body.decode(errors='replace')}")
            token = self.headers.get("api_access_token")
            answer = orjson.dumps(
                {"error": f"Invalid Access Token {token}", "message": f"{token}", "attributes": [token]}
            )
            self.send_response(422 if token else 200)
            self.send_header("content-type", "application/json")
            self.send_header("x-echo", str(token))
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
async def alone(migrated: str) -> AsyncIterator[str]:
    async with copied_database(migrated) as url:
        yield url


async def test_no_secret_is_in_anything_that_a_whole_run_leaves_or_says(
    alone: str, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries = Canaries()
    with echoing() as (server, heard):
        settings, more = _settings(canaries, alone, stack.kafka, tmp_path, server)
        point_at(settings, monkeypatch)
        for name, text in more.items():
            monkeypatch.setenv(name, text)
        shops = await _attach(canaries, settings, server)
        admin: Pool = await asyncpg.create_pool(alone, min_size=0, init=use_json)
        # One whose secrets another key sealed: an error, which is reported.
        await attach_row(admin, webhook_secret="v1.deadbeef.AAAA")
        groups = {"widget": topics.WIDGET_EVENTS, "visits": topics.WIDGET_EVENTS, "conversations": topics.WEBHOOKS}
        groups |= {"customers": topics.SHOP_EVENTS, "contacts": topics.WEBHOOKS}
        await begin_at_the_end(settings, admin, groups)
        names = ("ingress", "conversations", "widget", "customers", "contacts")
        async with running(settings, tmp_path, *names, **more) as ours:
            said = [await _talk(ours.address, canaries, shops)]
            await eventually(lambda: any("/contacts" in one for one in heard))
            await eventually(lambda: any("/envelope" in one for one in heard))
            said.append(await _asked(ours.address, settings))
        said += [await _verb(*verb.split()) for verb in _VERBS]
        said += await _failures(canaries, monkeypatch, alone)
        places = {"answers and verbs": "\n".join(said), "Sentry": "\n".join(one for one in heard if "envelope" in one)}
        places |= await _tables(admin) | _files(tmp_path) | await _topics(settings, shops)
        await admin.close()
    found = {place: canaries.found(text) for place, text in places.items()}
    found["Sentry"].remove("Sentry DSN")  # Sentry is told its own
    assert {place: names for place, names in found.items() if names} == {}
    assert "process_serves" in places["log"]
    assert len(places["topics"]) > 1000


def _settings(
    canaries: Canaries, url: str, kafka: str, folder: Path, server: str
) -> tuple[Settings, Mapping[str, str]]:
    canaries.keep("database password", str(urlsplit(url).password))
    given = {"kafka_bootstrap_servers": kafka, "database_url": url, "data_directory": folder}
    settings = Settings.model_validate(given)
    load_secrets(settings)
    canaries.keep("installation key", (folder / "installation.key").read_text().strip())
    return settings, {
        "WOOTSTREAM_API_TOKEN": canaries.new("API token"),
        "SENTRY_DSN": server.replace("//", f"//{canaries.new('Sentry DSN')}@") + "/1",
        "WOOTSTREAM_HTTP_PORT": "0",
    }


async def _attach(canaries: Canaries, settings: Settings, server: str) -> list[Shop]:
    shops = []
    for account, slug in ((3, "signed"), (4, "unsigned")):
        given = {
            "api_access_token": canaries.new(f"{slug} API token"),
            "event_secret": canaries.new(f"{slug} event secret", prefix="whsec_"),
            "vouching_secret": canaries.new(f"{slug} vouching secret", prefix="whsec_"),
        }
        door = {"signed": "webhook_secret", "unsigned": "path_token"}[slug]
        given[door] = canaries.new(f"{slug} {door}")
        store = StoreOptions.model_validate(given | {
            "slug": slug, "base_url": server, "account_id": account, "website_token": f"site-{slug}", "push": "live",
            "domains": (ORIGIN.removeprefix("https://"),),
        })  # fmt: skip
        added = await attach.add(settings, store)
        assert canaries.found(repr(store) + repr(added)) == []
        shops.append(Shop(added.organization_id, slug, given[door], f"site-{slug}", given["event_secret"], account))
    return shops


async def _talk(address: str, canaries: Canaries, shops: list[Shop]) -> str:
    """Everything that the doors are for, rightly and wrongly; what they answered."""
    answers, now = [], datetime.now(UTC)
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_SECONDS) as client:
        for shop in shops:
            for body in (one % shop.account_id for one in _BODIES):
                answers += [await post_webhook(client, shop, body, at=now, secret=one) for one in (shop.secret, "x")]
                answers += [await client.post(f"{shop.door}/{one}", content=body) for one in (shop.secret, "x")]
            backend = Backend(client, shop.slug, shop.event_secret)
            paid = shop_event("order.paid", now, customer_id="c1", order_id="o1", amount_minor=100, currency="EUR")
            answers += [await backend.send(paid), await backend.send_batch([paid, {}])]
            visitor = PageVisitor(client, shop.website_token, ORIGIN, Clock())
            vouched = Backend(client, shop.slug, canaries.planted[f"{shop.slug} vouching secret"]).vouch(
                "c1", expires=now + timedelta(hours=1)
            )
            await visitor.arrive(vouched)
            answers.append(await visitor.report(visitor.event("page_viewed")))
            answers.append(
                await client.get(f"/widget/{shop.website_token}/config", params=vouched | {"proof": "wrong"})
            )
    assert {204, 401} <= {one.status_code for one in answers}
    return "\n".join(f"{one.status_code} {one.headers} {one.text}" for one in answers)


async def _asked(address: str, settings: Settings) -> str:
    bearers = ("wrong", "wst_wrong")
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_SECONDS) as client:
        answers = [await client.get(path) for path in ("/metrics", "/ready", "/live", "/api/reports/agents")]
        answers += [await client.get("/api/reports/x", headers={"authorization": f"Bearer {one}"}) for one in bearers]
    return "\n".join(f"{one.status_code} {one.headers} {one.text}" for one in answers) + repr(settings)


async def _verb(*arguments: str, given: bytes = b"") -> str:
    """What somebody sees who runs it: of what is no sentence of ours, the whole traceback."""
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["wootstream", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        patch.setattr(sys, "stdout", output)
        patch.setattr(sys, "stderr", output)
        try:
            await asyncio.to_thread(main)
        except SystemExit:
            pass
        except Exception as error:
            output.write("".join(traceback.format_exception(error)))
    return output.getvalue()


async def _failures(canaries: Canaries, environment: pytest.MonkeyPatch, url: str) -> list[str]:
    """What verbs say where a setting that holds a secret is at fault."""
    secret = canaries.new("given to a verb")
    bodies = (orjson.dumps({"api_access_token": secret}), orjson.dumps({"event_secret": f"!{secret}"}), secret.encode())
    said = [await _verb("stores", "add", "new", "--secrets-stdin", given=body) for body in bodies]
    for name, text in (
        ("WOOTSTREAM_INSTALLATION_KEY", secret + "!"),
        ("WOOTSTREAM_INSTALLATION_KEY", secret),
        ("DATABASE_URL", f"postgresql://{secret}:{secret}@@127.0.0.1/x"),
        ("DATABASE_URL", f"postgresql://wootstream:{secret}@127.0.0.1:1/x"),
        ("DATABASE_URL", f"{url}?sslmode=require&sslrootcert={secret}"),
        ("WOOTSTREAM_API_TOKEN", secret[:15]),
    ):
        with environment.context() as one:
            one.setenv(name, text)
            said.append(await _verb("stores", "list"))
            said.append(await _verb("keys", "list"))
    with environment.context() as one:
        one.setenv("WOOTSTREAM_KAFKA_SECURITY", "sasl_plaintext")
        one.setenv("WOOTSTREAM_KAFKA_USERNAME", "somebody")
        one.setenv("WOOTSTREAM_KAFKA_PASSWORD", secret)
        said.append(await _verb("topics"))
    canaries.keep("short API token", secret[:15])
    return said


async def _tables(admin: Pool) -> dict[str, str]:
    async with admin.acquire() as conn:
        tables = [f"{row['schema']}.{row['name']}" for row in await conn.fetch(_COLUMNS)]
        rows = {
            table: "\n".join(row["said"] for row in await conn.fetch(f"select t::text as said from {table} t"))  # noqa: S608
            for table in tables
        }
    assert rows["public.chatwoot_accounts"]
    return rows


def _files(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "installation.key"]
    assert "stores.sealed" in {path.name for path in paths}
    return {path.name: path.read_bytes().decode("latin-1") for path in paths}


async def _topics(settings: Settings, shops: list[Shop]) -> dict[str, str]:
    stores = [shop.id for shop in shops]
    found: list[Any] = []
    for topic in (topics.WEBHOOKS, topics.SHOP_EVENTS, topics.WIDGET_EVENTS):
        found += await held(settings, topic, *stores)
    return {"topics": "\n".join(f"{one.key!r} {one.value!r} {one.headers!r}" for one in found)}


async def test_nothing_that_holds_a_secret_shows_it_when_it_is_printed(settings: Settings) -> None:
    keys, store = load_secrets(settings), uuid.uuid4()
    sealed = {
        name: keys.seal("whsec_Y2FuYXJ5IGNhbmFyeSBjYW5hcnk=", organization=store, column=name)
        for name in ("webhook_secret", "event_secret", "vouching_secret")
    }
    row = {
        "organization_id": store, "slug": "s", "chatwoot_account_id": 1, "website_token": "w", "unsigned": False,
        "path_token_sha256": None, "domains": [], "keep_full_ip": False, "locale": "nl", "chatwoot_base_url": "u",
        "account_name": "n",
    }  # fmt: skip
    printed = repr(opened(row | sealed, keys)) + repr(keys) + repr(read("postgresql://u:canary@h/d?options=canary"))
    assert "canary" not in printed
    assert "Y2FuYXJ5" not in printed

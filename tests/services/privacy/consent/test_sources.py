"""Where a word comes from: a shop's event, a visitor's page, the HTTP API; the service applies it by itself."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from pydantic import SecretStr

from db.pool import Pool, scoped
from schemas.topics import SHOP_EVENTS
from services.control.people import membership
from services.control.people.membership import Role
from services.customers import events, handlers
from services.kernel import Process, Record, Settings
from services.kernel.consent.words import ConsentWords
from services.kernel.forgetting.subjects import Subject
from services.privacy.app import add_to
from services.widget.keeping import Keeping
from services.widget.metrics import WidgetMetrics
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.services.control.verbs import noted
from tests.services.privacy.consent.speaking import CONTACT, Speaker, minute, told

_TOKEN = "a-token-of-the-operator"


@pytest.fixture
async def anna(settings: Settings, admin_pool: Pool) -> AsyncIterator[Speaker]:
    process = Process(settings)
    yield await Speaker.known(process, admin_pool)
    await process.close()


def _shop_event(one: Speaker, at: int, *, given: bool) -> Record:
    data = {"customer_id": "c1", "purpose": "chat", "given": given, "text_version": "v1"}
    event = {"specversion": "1.0", "id": f"e{at}", "source": "shop", "type": "customer.consent",
             "time": minute(at).isoformat(), "data": data}  # fmt: skip
    return Record.accepted(
        SHOP_EVENTS.name, key=b"", value=orjson.dumps(event), store=one.store, event="customer.consent", origin="shop",
        received_at=minute(at),
    )  # fmt: skip


async def test_a_shops_word_is_kept_once_and_names_or_hides_the_customers_chats(anna: Speaker) -> None:
    await anna.writes(10)
    record, again = _shop_event(anna, 20, given=False), _shop_event(anna, 20, given=False)
    words = ConsentWords(anna.process.secrets)
    read = [fact for one in (record, again) if (fact := events.read(one))]
    async with scoped(anna.process.pool(), {anna.store}) as conn:
        assert await handlers.keep(words, conn, read) == {record}
        assert await handlers.keep(words, conn, read) == set()
    await anna.settled()
    (chat,) = (await anna.stored())["chats"]
    assert (chat["contact_id"], chat["hashed"]) == (None, True)


async def test_a_visitors_word_hides_what_their_session_told_before(anna: Speaker) -> None:
    keeping = Keeping(anna.process, WidgetMetrics(anna.process.registry))
    await keeping.refresh()
    await anna.visits(10)
    record = told(anna.store, 20, given=False, customer="c1")
    read = keeping.read(record)
    assert read is not None
    async with scoped(anna.process.pool(), {anna.store}) as conn:
        assert await keeping.keep(conn, [read, read]) == {record}
    await anna.settled()
    await anna.visits(30)
    assert [page["session_id"] for page in (await anna.stored())["pages"]] == [None, "s1"]


@pytest.mark.usefixtures("topics")
async def test_a_token_opens_what_its_scopes_say_to_who_manages_the_store(
    settings: Settings, admin_pool: Pool, pool: Pool
) -> None:
    process = Process(settings.model_copy(update={"api_token": SecretStr(_TOKEN), "http_port": 0}))
    add_to(process)
    anna, other = await Speaker.known(process, admin_pool), await Speaker.known(process, admin_pool)
    serving = asyncio.create_task(process.serve())
    await eventually(lambda: process.address or serving.done())
    slug, elsewhere = f"shop-{anna.store.hex[:12]}", f"shop-{other.store.hex[:12]}"
    said = {"who": "anna@x.example", "purpose": "chat", "given": False}
    async with httpx.AsyncClient(base_url=process.address, timeout=PATIENCE_SECONDS) as client:

        async def asked(role: Role, scope: str, at: str, what: str = "consent") -> list[int]:
            """Showing, writing down."""
            email = f"{role}@{uuid.uuid4().hex}.example"
            await membership.add(pool, slug, email, role)
            until = datetime.now(UTC) + timedelta(days=1)
            token = (await membership.add_token(pool, email, "laptop", scopes=[scope], expires_at=until))[1]
            headers, path = {"authorization": f"Bearer {token}"}, f"/api/stores/{at}/{what}"
            query = {"who": "anna@x.example"} if what == "consent" else {}
            shown = await client.get(path, params=query, headers=headers)
            written = await client.post(path, json=said, headers=headers)
            return [shown.status_code, written.status_code]

        assert await asked("manager", "personal", slug) == [200, 403]
        assert await asked("manager", "change", slug) == [403, 200]
        assert await asked("manager", "read", slug) == [403, 403]
        assert await asked("staff", "personal", slug) == [400, 403]
        assert await asked("staff", "change", slug) == [403, 400]
        assert await asked("owner", "personal", elsewhere) == [400, 403]
        assert await asked("owner", "change", elsewhere) == [403, 400]
        assert await asked("owner", "read", slug, "retention") == [200, 403]
        assert await asked("owner", "change", slug, "retention") == [403, 403]
    process.stopping.set()
    assert await serving == 0, process.failure
    assert Counter(await noted(admin_pool, anna.store))["consent withdraw"] == 1
    assert "consent show" in await noted(admin_pool, anna.store)
    assert {*await noted(admin_pool, other.store)} == set()


@pytest.mark.usefixtures("topics")
async def test_over_http_a_word_is_written_down_shown_and_obeyed(settings: Settings, admin_pool: Pool) -> None:
    process = Process(settings.model_copy(update={"api_token": SecretStr(_TOKEN), "http_port": 0}))
    add_to(process)
    anna = await Speaker.known(process, admin_pool)
    await anna.writes(10)
    serving = asyncio.create_task(process.serve())
    await eventually(lambda: process.address or serving.done())
    path, headers = f"/api/stores/shop-{anna.store.hex[:12]}/consent", {"authorization": f"Bearer {_TOKEN}"}
    async with httpx.AsyncClient(base_url=process.address, timeout=PATIENCE_SECONDS, headers=headers) as client:
        said = {"who": f"contact:{CONTACT}", "purpose": "chat", "given": False, "at": minute(20).isoformat()}
        assert (await client.post(path, json=said)).json() == {"news": True}
        assert (await client.post(path, json=said)).json() == {"news": False}
        assert (await client.post(path, json=said | {"purpose": "all"})).status_code == 400
        assert (await client.get(path)).status_code == 400
        now = (await client.get(path, params={"who": "anna@x.example"})).json()["now"]
        assert (now["chat"]["state"], now["analytics"]["needed"]) == ("withdrawn", True)
        (chat,) = (await anna.stored())["chats"]
        assert chat["contact_id"] is None
        await anna.says(Subject("customer", "c1"), "chat", 30, given=True)

        async def named() -> bool:  # by the service itself
            return bool((await anna.stored())["chats"][0]["contact_id"] == CONTACT)

        await eventually(named)
    process.stopping.set()
    assert await serving == 0, process.failure

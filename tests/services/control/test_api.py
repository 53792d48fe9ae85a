"""The verbs over HTTP: as at the command line, for the operator alone; who was shown what is kept."""

import asyncio
import getpass
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from local.chatwoot.app import serving
from schemas.stores import StoreOptions
from services.control import api
from services.control.app import add_to
from services.control.people import membership
from services.control.stores import attach
from services.kernel import Process
from services.kernel.cli.environment import database
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.kernel_bench import Bench
from tests.services.control.dead_letters.test_letters import SECRET, poison, set_aside
from tests.services.control.stores.chatwoots import chatwoot
from tests.services.control.stores.test_apply import some
from tests.services.control.stores.test_attach import shop
from tests.services.control.verbs import answer

_TOKEN = "a-token-of-the-operator"


@pytest_asyncio.fixture
async def client(bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    """A process with the verbs alone, and a client that bears the token."""
    process = Process(bench.settings.model_copy(update={"api_token": SecretStr(_TOKEN), "http_port": 0}))
    add_to(process)
    serving = asyncio.create_task(process.serve())
    await eventually(lambda: process.address or serving.done())
    headers = {"authorization": f"Bearer {_TOKEN}"}
    async with httpx.AsyncClient(base_url=process.address, timeout=PATIENCE_SECONDS, headers=headers) as client:
        yield client
    process.stopping.set()
    assert await serving == 0, process.failure


async def test_verbs_answer_as_at_the_command_line_and_to_nobody_without_the_token(
    bench: Bench, client: httpx.AsyncClient
) -> None:
    await set_aside(bench, poison(bench))
    verbs = {"/api/stores": "stores list", "/api/dead-letters": "dead-letters list", "/api/offsets": "offsets show"}

    for path, verb in verbs.items():
        told = await client.get(path)
        assert (told.json(), told.headers["cache-control"]) == (await answer(*verb.split()), "no-store")
    for one in (one for one, _ in api.OPERATIONS if one.method == "GET"):
        path = one.path.format(store=(await client.get("/api/stores")).json()[0]["slug"], id="1")
        assert (await client.get(path)).status_code == 200, path
        assert (await client.get(path, headers={"authorization": ""})).status_code == 401
        assert (await client.get(path, params={"secret": "please"})).status_code == 400


async def test_a_character_that_no_column_can_hold_is_the_askers_mistake_and_nothing_broke(
    bench: Bench, client: httpx.AsyncClient
) -> None:
    refused = await client.get("/api/dead-letters", params={"reason": "\0"})
    assert (refused.status_code, "a value that was given" in refused.json()["error"]) == (400, True)


async def test_description_names_every_operation(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/api/openapi.json")).json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(one.method, one.path) for one, _ in api.OPERATIONS}


async def test_every_schema_that_the_description_names_is_in_it(client: httpx.AsyncClient) -> None:
    """Or no client can be made of it."""
    document = (await client.get("/api/openapi.json")).json()
    named = set(re.findall(r'"\$ref":\s*"#/([^"]*)"', json.dumps(document)))
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]

    assert named <= {f"components/schemas/{name}" for name in document["components"]["schemas"]}
    assert len(bodies) == sum(one.body is not None for one, _ in api.OPERATIONS)
    assert {"StoreOptions", "TierRules", "Formats"} <= document["components"]["schemas"].keys()


async def test_who_revealed_and_who_discarded_is_kept_and_nobody_can_take_it_back(
    bench: Bench, client: httpx.AsyncClient
) -> None:
    (letter,) = await set_aside(bench, poison(bench))
    number = letter["id"]

    hidden = await client.get(f"/api/dead-letters/{number}")
    revealed = await client.get(f"/api/dead-letters/{number}", params={"reveal": "true"})
    discarded = await client.post("/api/dead-letters/discard", params={"id": number})

    assert (SECRET in hidden.text, SECRET in revealed.text, discarded.json()) == (False, True, {"discarded": 1})
    kept = (await client.get("/api/audit-log")).json()
    assert [(one["actor"], one["source"], one["action"], one["object"]) for one in kept] == [
        ("operator", "127.0.0.1", "dead-letters discard", "1 dead letters"),
        ("operator", "127.0.0.1", "dead-letters show --reveal", f"dead letter {number}"),
    ]
    for role in ("wootstream_ingress", "wootstream_service", "wootstream_privacy", "authenticated", "anon"):
        for statement in ("update wootstream.audit_log set actor = ''", "delete from wootstream.audit_log"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await as_role(bench, role, statement)


async def as_role(bench: Bench, role: str, statement: str) -> None:
    async with bench.admin.transaction():
        await bench.admin.execute(f"set local role {role}")
        await bench.admin.execute(statement)


async def test_a_change_at_the_command_line_is_kept_by_the_names_of_what_changed(bench: Bench) -> None:
    store = shop(api_access_token="t0ken")
    await attach.add(bench.settings, store)
    await attach.add(bench.settings, StoreOptions(slug=store.slug, timezone="Europe/Berlin"))
    await attach.add(bench.settings, StoreOptions(slug=store.slug, timezone="Europe/Berlin"))

    changed, attached = await answer("audit-log", "--store", store.slug)

    assert changed["object"] == "changed: timezone"
    assert attached["object"].startswith("attached: account_name, ")
    assert "api_access_token" in attached["object"]
    assert (changed["actor"], changed["store"]) == (getpass.getuser(), store.slug)
    assert changed["source"].startswith("cli@")


async def test_person_sees_the_stores_that_row_security_shows_and_is_written_down(
    bench: Bench, client: httpx.AsyncClient
) -> None:
    mine, other, email = shop(), shop(account_id=8), "manager@shop.example"
    for one in (mine, other):
        await attach.add(bench.settings, one)
    async with database(bench.settings) as pool:
        await membership.add(pool, mine.slug, email, "manager")
        until = datetime.now(UTC) + timedelta(days=1)
        token = (await membership.add_token(pool, email, "laptop", scopes=["read"], expires_at=until))[1]
    bearer = {"authorization": f"Bearer {token}"}

    seen = await client.get("/api/stores", headers=bearer)
    refused = [
        (await client.get(path, headers=bearer)).status_code
        for path in (f"/api/stores/{other.slug}", "/api/audit", "/api/audit-log")
    ]

    assert ([one["slug"] for one in seen.json()], refused) == ([mine.slug], [400, 403, 403])
    asked = [one for one in (await client.get("/api/audit-log")).json() if one["action"].startswith("GET")]
    assert [one["object"] for one in asked] == [f"/api/stores/{other.slug}", "/api/stores"]
    assert {one["actor"] for one in asked} != {"operator"}


async def test_a_store_is_attached_and_people_are_named_over_http_by_whom_the_audit_log_names(
    client: httpx.AsyncClient,
) -> None:
    store = shop(api_access_token="t0ken")
    body = store.model_dump(mode="json", exclude_none=True) | {"api_access_token": "t0ken"}
    person = {"store": store.slug, "email": "staff@shop.example"}

    added = await client.post("/api/stores", json=body)
    again = await client.post("/api/stores", json={"slug": store.slug, "locale": "de"})
    named = await client.post("/api/people", json=person | {"role": "staff"})
    listed = await client.get("/api/people", params={"store": store.slug})
    gone = [(await client.post("/api/people/remove", json=person)).json()["changed"] for _ in range(2)]

    assert (added.json()["outcome"], added.json()["event_secret"][:6]) == ("added", "whsec_")
    assert (again.json()["outcome"], again.json()["event_secret"]) == ("changed", None)
    assert named.json() == person | {"role": "staff", "changed": True}
    assert [(one["email"], one["role"]) for one in listed.json()] == [("staff@shop.example", "staff")]
    assert gone == [True, False]
    kept = (await client.get("/api/audit-log", params={"store": store.slug})).json()
    assert [(one["actor"], one["action"]) for one in reversed(kept)] == [
        ("operator", one) for one in ("stores add", "stores add", "people add", "people list", "people remove")
    ]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/api/stores", b"{"),
        ("/api/stores", b'{"slug": "nl", "api_access_tokn": "t0ken-t0ken"}'),
        ("/api/stores", b'{"slug": "nl", "name": "' + b"x" * 300_000 + b'"}'),
        ("/api/people", b'{"store": "nl", "email": "a@b.example", "role": "king"}'),
        ("/api/people/remove", b'{"store": "nowhere", "email": "a@b.example"}'),
    ],
)
async def test_a_body_that_cannot_be_done_is_a_sentence_and_quotes_nothing(
    path: str, content: bytes, client: httpx.AsyncClient
) -> None:
    answer = await client.post(path, content=content)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert "t0ken" not in answer.text


async def test_a_person_changes_nothing_over_http(bench: Bench, client: httpx.AsyncClient) -> None:
    store, email = shop(), "owner@shop.example"
    await attach.add(bench.settings, store)
    async with database(bench.settings) as pool:
        await membership.add(pool, store.slug, email, "owner")
        until = datetime.now(UTC) + timedelta(days=1)
        scopes = ["read", "personal", "change"]
        token = (await membership.add_token(pool, email, "laptop", scopes=scopes, expires_at=until))[1]
    headers = {"authorization": f"Bearer {token}"}
    for one in (one for one, _ in api.OPERATIONS if one.method == "POST"):
        assert (await client.post(one.path, json={}, headers=headers)).status_code == 403


async def test_the_specifications_requests_make_a_store_and_a_token_over_http(client: httpx.AsyncClient) -> None:
    double, (slug,) = chatwoot(), some(1)
    async with serving(double) as address:
        there = {"base_url": address, "platform_token": double.state.platform_token}
        asked = {"account_name": slug, "email": "support@shop.example", "domain": f"{slug}.example", "locale": "de"}
        made = await client.post("/api/stores/provision", json=asked | there)
        again = await client.post("/api/stores/provision", json=asked | there)
        (account,) = double.state.accounts.values()
        agent = {"account_id": account.id, "agent_email": "jan@shop.example", "role": "agent"}
        token = await client.post("/api/stores/token", json=agent | there)
        refused = await client.post("/api/stores/token", json=agent | there | {"account_id": 77})

    assert (made.json()["outcome"], again.json()["changes"]) == ("added", [])
    assert double.state.tokens[token.json()["access_token"]].id in account.members
    assert (refused.status_code, "is no store's" in refused.json()["error"]) == (400, True)
    assert there["platform_token"] not in made.text + again.text + token.text + refused.text


async def test_a_store_rests_works_and_goes_and_its_secret_is_replaced_over_http(client: httpx.AsyncClient) -> None:
    double, (slug,) = chatwoot(), some(1)
    async with serving(double) as address:
        there = {"base_url": address, "platform_token": double.state.platform_token}
        asked = {"account_name": slug, "email": "support@shop.example", "domain": f"{slug}.example", "locale": "de"}
        assert (await client.post("/api/stores/provision", json=asked | there)).status_code == 200
        at = f"/api/stores/{slug}"
        (account,) = double.state.accounts.values()

        rests, again = await client.post(f"{at}/suspend"), await client.post(f"{at}/suspend")
        works = await client.post(f"{at}/resume")
        turned = await client.post(f"{at}/rotate", json={"what": "event"})
        odd = await client.post(f"{at}/rotate", json={"what": "everything"})
        gone = await client.post(f"{at}/remove", json={})

    assert [one.json()["changed"] for one in (rests, again, works)] == [True, False, True]
    assert (turned.json()["finished"], turned.json()["secret"].startswith("whsec_")) == (True, True)
    assert (odd.status_code, "what" in odd.json()["error"]) == (400, True)
    assert (gone.json(), account.webhooks) == ({"slug": slug, "webhooks_removed": 1}, {})
    log = (await client.get("/api/audit-log", params={"store": slug})).json()
    assert {"stores suspend", "stores resume", "stores rotate", "stores remove"} <= {one["action"] for one in log}

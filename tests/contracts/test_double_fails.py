"""The double when it is ill, throttled, or told through its own door how to behave."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from local.chatwoot import seed
from local.chatwoot.app import serving
from local.chatwoot.double import Double
from local.chatwoot.fault_modes import KINDS

_CONTACTS = "/api/v1/accounts/3/contacts"


@asynccontextmanager
async def calling(double: Double, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """Account 3 with contact 7, called by its administrator."""
    account = seed.add_account(double, 3, token="token")
    seed.add_contact(double, account, id=7, email="jan@x.example", name="Jan")
    async with (
        serving(double) as base_url,
        httpx.AsyncClient(base_url=base_url, headers={"api_access_token": "token"} | headers) as client,
    ):
        yield client


async def outcome(client: httpx.AsyncClient, path: str = f"{_CONTACTS}/7") -> tuple[int, str] | str:
    """Status and media type, or the name of what went wrong."""
    try:
        answer = await client.put(path, json={"custom_attributes": {"order_count": 1}})
    except httpx.HTTPError as error:
        return type(error).__name__
    return answer.status_code, answer.headers["content-type"].partition(";")[0]


async def test_every_fault_is_what_its_name_says_each_in_its_turn() -> None:
    double = Double()
    async with calling(double) as client:
        double.faults.kinds, double.faults.seconds = KINDS, 0.05
        seen = {kind: await outcome(client) for kind in KINDS}
    assert seen == {
        "429": (429, "text/plain"),
        "500": (500, "application/json"),
        "502": (502, "text/html"),
        "html": (200, "text/html"),
        "half": "RemoteProtocolError",
        "reset": "ReadError",
        "silence": "ReadError",
        "slow": (200, "application/json"),
        "lost": "ReadError",
    }
    assert double.faults.met == dict.fromkeys(KINDS, 1)


async def test_a_lost_answer_is_to_a_call_that_was_done_and_a_reset_to_one_that_was_not() -> None:
    double = Double()
    async with calling(double) as client:
        held = double.state.contacts[3][7]
        double.faults.kinds = ("reset",)
        await outcome(client)
        assert held.custom_attributes == {}
        double.faults.kinds = ("lost",)
        await outcome(client)
        assert held.custom_attributes == {"order_count": 1}


async def test_faults_hit_the_accounts_that_are_named_and_no_others() -> None:
    double = Double()
    seed.add_account(double, 4, token="other")
    async with calling(double) as client:
        double.faults.kinds, double.faults.accounts = ("500",), (4,)
        assert await outcome(client) == (200, "application/json")
        assert await outcome(client, "/api/v1/accounts/4/contacts/7") == (500, "application/json")


async def test_calls_and_searches_are_limited_by_the_clock_minute() -> None:
    moment = [datetime(2026, 1, 1, 12, 0, 59, tzinfo=UTC)]
    double = Double(now=lambda: moment[0])
    double.limits.enforce_on_loopback, double.limits.searches_per_account, double.limits.per_address = True, 2, 5
    async with calling(double) as client:
        search = f"{_CONTACTS}/search?q=jan"
        assert [(await client.get(search)).status_code for _ in range(3)] == [200, 200, 429]
        refused = [await client.get(f"{_CONTACTS}/7") for _ in range(3)]
        assert [one.status_code for one in refused] == [200, 200, 429]
        last = refused[-1]
        assert (last.text, last.headers["content-type"]) == ("Retry later\n", "text/plain")
        assert "retry-after" not in last.headers
        moment[0] += timedelta(seconds=1)
        assert (await client.get(search)).status_code == 200
    assert double.limits.refused == 2


async def test_its_own_door_shows_and_changes_what_it_does_and_meets_no_fault() -> None:
    double = Double()
    async with calling(double) as client:
        change = {"faults": {"kinds": ["500"]}, "webhooks": {"reorder": True}, "limits": {"per_address": 9}}
        shown = (await client.patch("/double", json=change)).json()
        await outcome(client)
        assert (shown["faults"]["kinds"], shown["webhooks"]["reorder"]) == (["500"], True)
        after = (await client.get("/double")).json()
        assert (after["faults"]["met"], after["calls"], after["limits"]["per_address"]) == ({"500": 1}, {}, 9)


@pytest.mark.parametrize("change", [{"faults": {"kinds": ["flood"]}}, {"fault": {}}, {"faults": {"share": 2}}, [1]])
async def test_its_own_door_refuses_what_it_does_not_know(change: Any) -> None:
    double = Double()
    async with calling(double) as client:
        assert (await client.patch("/double", json=change)).status_code == 422
    assert double.faults.kinds == ()


async def test_who_is_online_is_listed_and_cannot_be_deleted() -> None:
    async with calling(Double()) as client:
        await client.patch("/double", json={"online": {"3": [7]}})
        listed = (await client.get(f"{_CONTACTS}/active")).json()["payload"]
        refused = await client.delete(f"{_CONTACTS}/7")
        assert [(one["id"], one["availability_status"]) for one in listed] == [(7, "online")]
        assert (refused.status_code, list(refused.json())) == (422, ["message"])
        await client.patch("/double", json={"online": {}})
        assert (await client.delete(f"{_CONTACTS}/7")).status_code == 200


async def test_a_deleted_account_is_there_until_the_job_ran() -> None:
    double = Double()
    async with calling(double, api_access_token=double.state.platform_token) as client:
        made = (await client.post("/platform/api/v1/accounts", json={"name": "Shop"})).json()["id"]
        place = f"/platform/api/v1/accounts/{made}"
        assert (await client.delete(place)).status_code == 200
        assert (await client.get(place)).status_code == 200
        await client.patch("/double", json={"run_jobs": True})
        assert (await client.get(place)).status_code == 404


async def test_the_program_says_where_it_is_and_plays_what_it_was_asked_to(tmp_path: Any) -> None:
    contacts = tmp_path / "contacts.jsonl"
    contacts.write_text('{"id": 7, "email": "jan@x.example", "custom_attributes": {"order_count": 1}}\n')
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local.chatwoot", "--release", "3.16.0", "--account", "3", "--contacts", str(contacts),
        "--fault", "502", "--fault-account", "4", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout
    try:
        address = json.loads(await program.stdout.readline())["base_url"]
        async with httpx.AsyncClient(base_url=address, headers={"api_access_token": "token"}) as client:
            shown = (await client.get(f"{_CONTACTS}/7")).json()["payload"]
            assert (shown["custom_attributes"], "blocked" in shown) == ({"order_count": 1}, False)
            assert (await client.get("/api/v1/accounts/4/contacts/7")).status_code == 502
    finally:
        program.terminate()
        await program.wait()

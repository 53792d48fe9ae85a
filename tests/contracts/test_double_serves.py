"""The double over real HTTP, with contacts that recorded webhooks show."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.chatwoot import __main__ as program
from local.chatwoot import seed
from local.chatwoot.app import listening, serving
from local.chatwoot.double import Double
from local.chatwoot.model import contact_changes
from local.chatwoot.model.rows import Account
from services.ingress.signatures import Signer
from tests.recordings.recorded import account_webhooks, rows, stores

_SECRET = "whsec"
Heard = list[tuple[dict[str, str], bytes]]


def account(double: Double, run: str, name: str) -> Account:
    """A recorded store with the contacts of its webhooks."""
    (store,) = (one for one in stores(run) if one["name"] == name)
    made = seed.add_account(double, store["account"], token=name)
    seed.add_recorded_contacts(
        double, made, (orjson.loads(one.body) for one in account_webhooks(run) if one.store == name)
    )
    return made


@asynccontextmanager
async def hearing(double: Double, account: Account, *, status: int = 204) -> AsyncIterator[Heard]:
    """What the account's webhook gets, each answered with the status."""
    heard: Heard = []

    async def receive_webhook(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        heard.append((dict(request.headers), await request.body()))
        await Response(status_code=status)(scope, receive, send)

    async with listening(receive_webhook) as url:
        seed.add_webhook(double, account, url, secret=_SECRET)
        yield heard


@asynccontextmanager
async def calling(double: Double, account: Account) -> AsyncIterator[httpx.AsyncClient]:
    token = next(double.state.users[one].token for one in account.members)
    async with serving(double) as base_url:
        path = f"{base_url}/api/v1/accounts/{account.id}/"
        async with httpx.AsyncClient(base_url=path, headers={"api_access_token": token}) as client:
            yield client


async def change(client: httpx.AsyncClient, contact_id: int, **attributes: int) -> dict[str, int]:
    answer = await client.put(f"contacts/{contact_id}", json={"custom_attributes": attributes})
    held: dict[str, int] = answer.json()["payload"]["custom_attributes"]
    return held


@pytest.mark.parametrize("key", ["identifier", "email", "phone_number"])
async def test_a_recorded_contact_is_found_by_any_of_its_names_and_its_change_comes_back_as_a_webhook(key: str) -> None:
    double = Double()
    store = account(double, "chatwoot-4.13.0", "amsel-nord")
    known = next(one for one in double.state.contacts[store.id].values() if getattr(one, key))
    wanted = {"attribute_key": key, "filter_operator": "equal_to", "values": [getattr(known, key)]}
    async with hearing(double, store) as heard, calling(double, store) as client:
        (found,) = (await client.post("contacts/filter", json={"payload": [wanted]})).json()["payload"]
        assert await change(client, found["id"], order_count=9) == found["custom_attributes"] | {"order_count": 9}
        await double.deliveries.settled()
    ((headers, body),) = heard
    stamp, signature = headers["x-chatwoot-timestamp"].encode(), headers["x-chatwoot-signature"].encode()
    assert Signer(_SECRET.encode()).signature(stamp, body) == signature
    assert (orjson.loads(body)["event"], orjson.loads(body)["id"]) == ("contact_updated", known.id)
    assert double.calls == {store.id: 2}


async def test_a_webhook_that_is_refused_is_not_sent_again() -> None:
    double = Double()
    store = seed.add_account(double, 3, token="token")
    seed.add_contact(double, store, id=7, email="jan@x.example")
    async with hearing(double, store, status=500) as heard, calling(double, store) as client:
        await change(client, 7, order_count=1)
        await double.deliveries.settled()
    assert (len(heard), double.deliveries.outcomes) == (1, {500: 1})


async def test_webhooks_can_be_doubled_stale_and_out_of_order() -> None:
    double = Double(seed=3)
    store = seed.add_account(double, 3, token="token")
    known = seed.add_contact(double, store, id=7, email="jan@x.example")
    double.deliveries.duplicates, double.deliveries.reorder, double.deliveries.clock_skew_seconds = 0.5, True, -3600
    async with hearing(double, store) as heard:
        for count in range(40):
            contact_changes.update(double.state, double.events, known, {"custom_attributes": {"order_count": count}})
        async with double.deliveries.running():
            await double.deliveries.settled()
    told = [orjson.loads(body)["changed_attributes"][1]["custom_attributes"]["current_value"] for _, body in heard]
    counts = [one["order_count"] for one in told]
    assert 40 < len(counts) == len({headers["x-chatwoot-delivery"] for headers, _ in heard})
    assert (set(counts), counts == sorted(counts)) == (set(range(40)), False)
    now = double.state.now().timestamp()
    assert all(now - int(headers["x-chatwoot-timestamp"]) > 3500 for headers, _ in heard)


def test_installations_whose_ids_collide_are_recorded_side_by_side() -> None:
    double = Double()
    first = account(double, "chatwoot-4.13.0", "amsel-nord")
    second = account(double, "chatwoot-3.16.0", "kleiber-nord")
    shared = double.state.contacts[first.id].keys() & double.state.contacts[second.id].keys()
    assert shared
    for store, run in ((first, "chatwoot-4.13.0"), (second, "chatwoot-3.16.0")):
        held = {one.id: one.email for one in double.state.contacts[store.id].values()}
        assert {row["id"]: row["email"] for row in rows(run, "contacts", store.id)}.items() <= held.items()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "99999"], "99999 is no port"),
        (["--release", "latest"], "'latest' is no release like 4.13.0"),
        (["--fault-share", "7"], "7 is no share between 0 and 1"),
        (["--account", "3", "--contacts", "absent"], "No such file or directory: 'absent'"),
        (["--account", "3", "--contacts", "contacts"], "contacts line 2: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_the_double_cannot_be_told_is_one_sentence(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "contacts").write_text('{"id": 7}\n{"id": 8, "colour": "red"}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["local.chatwoot", *arguments])

    with pytest.raises(SystemExit) as end:
        program.main()

    told = capsys.readouterr().err
    assert (end.value.code, said in told, "Traceback" in told) == (2, True, False)


async def test_a_port_that_is_taken_is_named() -> None:
    async with serving(Double()) as address:
        taken = address.rpartition(":")[2]
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "local.chatwoot", "--port", taken, stderr=asyncio.subprocess.PIPE
        )
        _, told = await done.communicate()
    assert done.returncode == 2
    assert b"Address already in use" in told

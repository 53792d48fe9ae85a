"""What people asked is settled or refused, and what Chatwoot says in between is waited for."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from db.pool import scoped
from db.privacy import requests
from services.kernel import Chatwoot, Process, Refusal, Retryable, Settings
from services.kernel.forgetting.subjects import Pseudonyms
from services.privacy.erasures import contact_removal, erasure
from services.privacy.erasures.announcement import Announcement, announcement_in
from services.privacy.erasures.sealed_person import opened, sealed
from services.privacy.who import meant
from services.privacy.worker import PrivacyMetrics, PrivacyWorker
from tests.answering import Answering
from tests.services.attached import authorize
from tests.services.contacts.api import ContactsDouble
from tests.services.privacy.conftest import KnownShop


async def _process(settings: Settings, answer: Any) -> Process:
    process = Process(settings)
    await process.chatwoot.close()
    process.chatwoot = Chatwoot(settings, process.clock, CollectorRegistry(), Answering(answer))
    return process


async def test_whom_the_law_bids_to_keep_is_not_erased_and_the_reason_is_told(
    shop: KnownShop, settings: Settings
) -> None:
    await shop.customer("c1", email="anna@x.example")
    process = Process(settings)
    pseudonyms = Pseudonyms(process.secrets)
    person = await shop.find("c1")
    digests = [digest for one in person.subjects for digest in pseudonyms.of(shop.store, one)]
    async with scoped(shop.pool, {shop.store}) as conn:
        await requests.hold(conn, shop.store, digests, "a lawsuit")
    for asked in ("customer:c1", "anna@x.example"):
        with pytest.raises(Refusal, match="a lawsuit"):
            await erasure.begin(process, shop.store, meant(asked))
    async with scoped(shop.pool, {shop.store}) as conn:
        assert await requests.listed(conn, limit=9) == []
        assert await requests.lift(conn, shop.store, digests) == len(digests)
    await erasure.look(process, shop.store, meant("c1"))
    await process.close()


async def test_what_waits_for_others_is_named_and_the_rest_is_done(shop: KnownShop, settings: Settings) -> None:
    """Neither Kafka nor Chatwoot answers: the tables are empty all the same."""
    await shop.customer("c1", email="anna@x.example", name="Anna")
    process = Process(settings)  # its publisher is not connected, and the store has no token
    begun = await erasure.begin(process, shop.store, meant("c1"))
    waiting = await erasure.carry_on(begun)
    assert waiting.keys() == {"published", "chatwoot"}
    assert "token" in waiting["chatwoot"]
    async with scoped(shop.pool, {shop.store}) as conn:
        row = (await requests.listed(conn, limit=9))[0]
    assert (row["state"], row["kind"], row["deadline"] - row["asked_at"]) == ("running", "erasure", timedelta(days=30))
    assert row["steps"]["customers"]["customers"] == 1
    assert not (await shop.find("anna@x.example")).customers
    await process.close()


@pytest.mark.usefixtures("alone")
async def test_an_erasure_that_waits_says_in_the_list_at_which_step_and_why(
    shop: KnownShop, settings: Settings
) -> None:
    """As the runbook of ErasureWaits bids to look: the worker's log alone told it."""
    await shop.contact(17, email="anna@x.example")
    process = await _process(settings, ContactsDouble().answer)
    worker = PrivacyWorker(process, PrivacyMetrics(CollectorRegistry()), asyncio.Event())

    async def told() -> str:
        await worker.turn()
        async with scoped(shop.pool, {shop.store}) as conn:
            (row,) = await requests.listed(conn, limit=9)
        return str(row["reason"])

    await erasure.begin(process, shop.store, meant("anna@x.example"))
    assert "chatwoot: this store has no API token" in await told()
    await authorize(shop.admin, shop.store, process.secrets)
    left = await told()
    assert (left.partition(":")[0], "chatwoot" in left) == ("published", False)  # its publisher is not connected
    await process.close()


async def test_a_contact_that_is_online_is_deleted_later(shop: KnownShop, settings: Settings) -> None:
    await shop.contact(17, email="anna@x.example")
    online = True

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE" and online:
            return httpx.Response(422, json={"message": "online"})
        if request.url.path.endswith("/filter"):
            return httpx.Response(200, json={"payload": []})
        return httpx.Response(200, json={}) if request.method == "DELETE" else httpx.Response(404, json={})

    process = await _process(settings, answer)
    await authorize(shop.admin, shop.store, process.secrets)
    person = await shop.find("anna@x.example")
    with pytest.raises(Retryable, match="online"):
        await contact_removal.remove(process, shop.store, person, "delete", by_names=True)
    online = False
    assert await contact_removal.remove(process, shop.store, person, "delete", by_names=True) == {"deleted": 1}
    await process.close()


@pytest.mark.parametrize("how", ["delete", "anonymise"])
async def test_in_chatwoot_nothing_names_them_any_more(
    shop: KnownShop, settings: Settings, how: contact_removal.InChatwoot
) -> None:
    """Also a contact that only Chatwoot knows."""
    api, host = ContactsDouble(), f"{shop.store.hex}.example"
    api.add(host, 17, name="Anna", email="anna@x.example", phone_number="+31612345678", identifier="c1",
            custom_attributes={"tier": "Gold"})  # fmt: skip
    api.add(host, 18, name="Ben", email="ben@x.example")
    process = await _process(settings, api.answer)
    await authorize(shop.admin, shop.store, process.secrets)
    person = await shop.find("anna@x.example")
    proof = await contact_removal.remove(process, shop.store, person, how, by_names=True)
    assert proof == {"deleted" if how == "delete" else "anonymised": 1}
    left = repr(api.contacts(host))
    assert "Ben" in left
    assert not [name for name in ("Anna", "anna@", "+316", "'c1'", "Gold") if name in left]
    await process.close()


async def test_whom_it_is_about_is_the_same_person_once_unsealed(shop: KnownShop, settings: Settings) -> None:
    await shop.customer("c1", email="anna@x.example")
    await shop.contact(17, customer_id="c1")
    secrets, person = Process(settings).secrets, await shop.find("c1")
    text = sealed(secrets, person, "anonymise")
    assert opened(secrets, shop.store, text) == (person, "anonymise")
    assert "anna" not in text


async def test_an_announcement_names_nobody_and_reads_as_it_was_written(shop: KnownShop, settings: Settings) -> None:
    process = Process(settings)
    pseudonyms = Pseudonyms(process.secrets)
    digests = {digest: one.kind for one in (await shop.find("anna@x.example")).subjects
               for digest in pseudonyms.of(shop.store, one)}  # fmt: skip
    told = Announcement(shop.store, process.clock.now(), "delete", digests)
    assert announcement_in(told.written().encode()) == told
    assert "anna" not in told.written()

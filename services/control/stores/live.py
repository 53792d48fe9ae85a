"""`check --live`: a contact is edited in each store, and Chatwoot's own webhook about it is waited for, in the topic.

So everything in between is tried: Chatwoot's jobs, the network, the door, the secret, Kafka. Consumers that run hear of
the contact as of any other; it is deleted again.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition

from schemas.chatwoot.contacts import CreatedContact
from schemas.topics import WEBHOOKS
from services.control.stores.calls import Api, RefusedCall
from services.control.stores.declared.apply import entered
from services.control.stores.declared.observed import account_path
from services.control.stores.declared.stores_file_reader import WantedStore
from services.control.stores.site import ChatwootSite, Failed
from services.kernel import Refusal, Retryable, Settings, Stop
from services.kernel.errors import describe
from services.kernel.kafka import client
from services.kernel.kafka.topics import Admin, partitions_of

_PATIENCE_SECONDS = 30.0  # Chatwoot's webhooks go through two queues of jobs
_POLL_MS = 200
_NAME = "Wootstream check"
_KEY = "wootstream_check"


@dataclass(frozen=True, slots=True)
class Heard:
    """How long it took from the edit to the record in the topic; None: it did not come."""

    slug: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class _Edited:
    slug: str
    api: Api
    path: str
    key: bytes
    at: float


async def live(site: ChatwootSite, stores: Sequence[WantedStore]) -> list[Heard | Failed]:
    """Of every store whether its webhook arrives; those that are not set up say so."""
    async with _from_now_on(site.settings) as consumer:
        answers = await asyncio.gather(*(_tried(site, store) for store in stores))
        edited = {one.key: one for one in answers if isinstance(one, _Edited)}
        try:
            arrived = await _arrivals(site, consumer, edited)
        finally:
            left = await asyncio.gather(*(_deleted(one) for one in edited.values()))
    failed = {one.slug: one for one in [*answers, *left] if isinstance(one, Failed)}
    heard = {one.slug: Heard(one.slug, arrived.get(key)) for key, one in edited.items()}
    return [failed.get(store.slug) or heard[store.slug] for store in stores]


async def _tried(site: ChatwootSite, wanted: WantedStore) -> _Edited | Failed:
    try:
        return await _edited(site, wanted)
    except (Refusal, Retryable) as reason:
        return Failed(wanted.slug, describe(reason))


async def _edited(site: ChatwootSite, wanted: WantedStore) -> _Edited:
    organization, found = await entered(site, wanted)
    api = site.api(wanted.base_url, found.token)
    await site.release(api)  # judges the address
    nonce = secrets.token_hex(8)
    contacts = f"{account_path(found.account_id)}/contacts"
    body = {"name": _NAME, "identifier": f"{_KEY}-{nonce}"}
    made: CreatedContact = await api.ask(CreatedContact, "POST", contacts, body)
    contact = made.payload.contact.id
    path = f"{contacts}/{contact}"
    at = site.clock.monotonic()
    edited = _Edited(wanted.slug, api, path, _record_key(organization, contact), at)
    try:
        await api.do("PUT", path, {"custom_attributes": {_KEY: nonce}})
    except (Refusal, Retryable):
        await _deleted(edited)
        raise
    return edited


def _record_key(organization: UUID, contact: int) -> bytes:
    return f"{organization}:contact:{contact}".encode()


async def _deleted(edited: _Edited) -> Failed | None:
    try:
        await edited.api.do("DELETE", edited.path)
    except (RefusedCall, Retryable) as reason:
        return Failed(edited.slug, f"the contact {_NAME} stays, delete it by hand: {describe(reason)}")
    return None


async def _arrivals(site: ChatwootSite, consumer: Any, edited: Mapping[bytes, _Edited]) -> dict[bytes, float]:
    arrived: dict[bytes, float] = {}
    end = site.clock.monotonic() + _PATIENCE_SECONDS
    while arrived.keys() != edited.keys() and site.clock.monotonic() < end:
        for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
            for record in records:
                if record.key in edited and ("event", b"contact_updated") in record.headers:
                    arrived.setdefault(record.key, site.clock.monotonic() - edited[record.key].at)
    return arrived


@asynccontextmanager
async def _from_now_on(settings: Settings) -> AsyncIterator[Any]:
    """A reader of the webhooks' topic, in no group, that stands at its end. Raises Stop where there is no topic."""
    async with Admin(settings) as admin:
        there = await partitions_of(admin, [WEBHOOKS.name])
    if WEBHOOKS.name not in there:
        raise Stop(f"Kafka has no topic {WEBHOOKS.name}: run `wootstream topics`")
    parts = [TopicPartition(WEBHOOKS.name, number) for number in there[WEBHOOKS.name]]
    consumer = client.consumer(settings, enable_auto_commit=False)
    await client.started(consumer, settings)
    try:
        consumer.assign(parts)
        for part, end in (await consumer.end_offsets(parts)).items():
            consumer.seek(part, end)
        yield consumer
    finally:
        await consumer.stop()

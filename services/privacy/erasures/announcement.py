"""An erasure as privacy.requests tells it: the store, the moment, and hashes of names. Kept longer than any backup."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.topics import PRIVACY_REQUESTS
from schemas.values import json_text
from services.kernel import Process, Record
from services.kernel.forgetting.subjects import Kind
from services.privacy.erasures.contact_removal import InChatwoot

_EVENT, _STORE_EVENT = "erasure", "store erasure"
_CONNECT_SECONDS = 10.0
_HEX = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    request: UUID
    asked_at: AwareDatetime
    in_chatwoot: InChatwoot
    digests: dict[_HEX, Kind]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is told of an erasure."""

    request: UUID
    asked_at: datetime
    in_chatwoot: InChatwoot
    digests: Mapping[bytes, Kind]

    def written(self) -> str:
        """As JSON."""
        digests = {digest.hex(): kind for digest, kind in self.digests.items()}
        return _Body(
            request=self.request, asked_at=self.asked_at, in_chatwoot=self.in_chatwoot, digests=digests
        ).model_dump_json()


class _StoreBody(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    request: UUID
    asked_at: AwareDatetime


@dataclass(frozen=True, slots=True)
class StoreAnnouncement:
    """That a whole store was erased."""

    store: UUID
    request: UUID
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Announced:
    """One record of the topic."""

    record: Record
    erasure: Announcement | StoreAnnouncement


def announcement_in(text: bytes) -> Announcement:
    """What `written` wrote. Raises ValidationError."""
    body = json_text.read(_Body.model_validate_json, text)
    digests = {bytes.fromhex(digest): kind for digest, kind in body.digests.items()}
    return Announcement(body.request, body.asked_at, body.in_chatwoot, digests)


def read(record: Record) -> Announced | None:
    """None for what is no erasure."""
    if record.event == _STORE_EVENT:
        body = json_text.read(_StoreBody.model_validate_json, record.value)
        return Announced(record, StoreAnnouncement(record.store, body.request, body.asked_at))
    return Announced(record, announcement_in(record.value)) if record.event == _EVENT else None


async def publish_store(process: Process, told: StoreAnnouncement) -> str:
    """As `publish`."""
    body = _StoreBody(request=told.request, asked_at=told.asked_at)
    return await _publish(process, told.store, told.request, _STORE_EVENT, body.model_dump_json())


async def publish(process: Process, store: UUID, erasure: Announcement) -> str:
    """Where it stands now: `partition/offset`. Raises Retryable while Kafka is away."""
    return await _publish(process, store, erasure.request, _EVENT, erasure.written())


async def _publish(process: Process, store: UUID, request: UUID, event: str, text: str) -> str:
    record = Record.accepted(
        PRIVACY_REQUESTS.name,
        key=f"{store}:{request}".encode(),
        value=text.encode(),
        store=store,
        event=event,
        origin="privacy",
        received_at=process.clock.now(),
    )
    partition, offset = await process.publisher.publish(record, _CONNECT_SECONDS)
    return f"{partition}/{offset}"

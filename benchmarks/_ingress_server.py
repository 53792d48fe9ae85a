"""One process to be measured: our ingress, or the least that could be written. Prints its address; ends with its stdin.

Bare is an ASGI application that reads the body and awaits the client's own acks=all send, with the key that the
sender names and as many headers: it verifies nothing, parses nothing, knows no store.
"""

import asyncio
import sys
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer, codec

from schemas.topics import MAX_MESSAGE_BYTES
from services.ingress.app import add_to
from services.kernel import Process, Settings
from services.kernel.kafka.client import client_options
from services.kernel.kafka.client_codecs import replace_codecs
from services.kernel.run import collect_seldom
from services.kernel.telemetry.logs import configure_logs
from tests.eventually import eventually

# As many and as long as ours.
_HEADERS = [
    ("event", b"message_created"),
    ("store", b"0190b5b8-0000-7000-8000-000000000000"),
    ("id", b"0190b5b8-0000-7000-8000-000000000000"),
    ("received-at", b"2026-11-25T12:00:00.000000+00:00"),
    ("origin", b"webhook"),
    ("chatwoot-timestamp", b"1790000000"),
    ("chatwoot-delivery", b"0190b5b8-0000-7000-8000-000000000000"),
]


class Bare:
    """The door that knows nothing."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        topic = scope["path"].rpartition("/")[2]
        await self._producer.send_and_wait(topic, body, key=scope["query_string"], headers=_HEADERS)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def _serve(kind: str) -> None:
    collect_seldom()  # as `wootstream run` does; bare gets the same
    settings = Settings()
    configure_logs("warning", "json")
    process = Process(settings)
    producer: Any = None
    if kind == "bare":
        producer = AIOKafkaProducer(
            **client_options(settings),
            acks="all",
            compression_type="zstd",
            linger_ms=5,
            max_batch_size=256 * 1024,
            max_request_size=MAX_MESSAGE_BYTES,
        )
        await producer.start()
        process.site.door("/bare/", Bare(producer))
    else:
        add_to(process)
    running = asyncio.create_task(process.serve())
    await eventually(lambda: bool(process.address) and process.publisher.connected, seconds=60)
    if kind == "bare":
        replace_codecs(zstd_encode=codec.zstd_encode)  # the client as it comes
    print(process.address, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    process.stopping.set()
    await running
    if producer:
        await producer.stop()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))

# mypy: ignore-errors
"""Quix Streams' PostgreSQL sink on the same topic, into the same table: a program of an environment of its own, for
nothing of ours needs that package. Prints the events a second from its first batch to its last."""

import json
import sys
import time
import uuid
from datetime import UTC, datetime

from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink

_COLUMNS = (
    *("event_type", "session_id", "user_id", "customer_id", "page_url", "user_agent", "ip_address", "referrer"),
    *("load_time_ms", "widget_version", "event_data"),
)
_RECORDS_AT_ONCE = 500


def main() -> None:
    asked = json.loads(sys.argv[1])
    seen: list[tuple[float, int]] = []

    class Timed(PostgreSQLSink):
        def write(self, batch):
            super().write(batch)
            seen.append((time.perf_counter(), batch.size))
            if sum(size for _, size in seen) >= asked["events"]:
                app.stop()

    app = Application(
        broker_address=asked["kafka"],
        consumer_group=f"quix-{uuid.uuid4().hex[:8]}",
        auto_offset_reset="earliest",
        commit_every=_RECORDS_AT_ONCE,
        commit_interval=5.0,
        loglevel="ERROR",
    )
    sink = Timed(
        **asked["database"], schema_name="public", table_name="chatwoot_widget_events", schema_auto_update=False,
        include_metadata=False, on_conflict_do_nothing=True,
    )  # fmt: skip
    posts = app.dataframe(app.topic(asked["topic"], value_deserializer="json"))
    posts.apply(rows, expand=True, metadata=True).sink(sink)
    app.run()
    (began, first), (ended, _) = seen[0], seen[-1]
    print(json.dumps((sum(size for _, size in seen) - first) / (ended - began)))


def rows(post, key, timestamp, headers):
    """What our service does less its checks: the store of the record, the moment of the event."""
    store = dict(headers)["store"].decode()
    for event in post:
        moment = datetime.fromtimestamp((uuid.UUID(event["id"]).int >> 80) / 1000, UTC).isoformat()
        yield {"organization_id": store, "created_at": moment, "id": event["id"]} | {
            name: event.get(name) for name in _COLUMNS
        }


main()

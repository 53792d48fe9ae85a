"""Sentry's end of the line: what really leaves, to a server of the test's that speaks as Sentry does or does not."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sentry_sdk
import structlog

from services.kernel import Settings
from services.kernel.telemetry.logs import configure_logs
from services.kernel.telemetry.sentry import report_errors, scrubbed, send_last_errors

_ERRORS = 500  # several times what the SDK's queue holds


class SentryServer:
    """Takes envelopes, and answers with `status`; a silent one answers once it is released."""

    def __init__(self, status: int = 200, *, silent: bool = False) -> None:
        self.envelopes: list[tuple[str, list[dict[str, Any]]]] = []
        self.asked = threading.Event()
        self.released = threading.Event()
        if not silent:
            self.released.set()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                packed = self.headers.get("content-encoding") == "gzip"
                lines = (gzip.decompress(body) if packed else body).splitlines()
                ours.envelopes.append((self.path, [json.loads(line) for line in lines if line]))
                ours.asked.set()
                ours.released.wait(60)
                self.send_response(status)
                if status == 429:
                    self.send_header("retry-after", "60")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://key@127.0.0.1:{self._server.server_port}/7"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @contextmanager
    def told_errors(self) -> Iterator["SentryServer"]:
        """Errors that are logged in here go to it."""
        self._thread.start()
        configure_logs("info", "json")
        report_errors(Settings.model_validate({"sentry_dsn": self.dsn, "environment": "test-site"}))
        try:
            yield self
        finally:
            self.released.set()
            sentry_sdk.get_client().close(timeout=5)
            sentry_sdk.get_global_scope().set_client(None)
            self._server.shutdown()
            self._server.server_close()


@pytest.mark.usefixtures("capsys")
def test_an_error_arrives_as_an_envelope_with_release_and_environment_and_nobody_in_it() -> None:
    with SentryServer().told_errors() as server:
        structlog.get_logger().error(
            "batch_fails", group="widget", error="jane@example.org, 203.0.113.9, 2001:db8::7, +31 6 1234 5678"
        )
        send_last_errors()
        [(path, [_, item, event])] = server.envelopes
    assert path == "/api/7/envelope/"
    assert item["type"] == "event"
    assert (event["message"], event["level"], event["environment"]) == ("batch_fails", "error", "test-site")
    assert event["release"].startswith("wootstream@")
    assert event["extra"]["group"] == "widget"
    assert event["extra"]["error"] == "(e-mail), (address), (address), (phone)"
    assert not {"user", "request", "modules"} & event.keys()
    assert event["breadcrumbs"]["values"] == []


@pytest.mark.usefixtures("capsys")
@pytest.mark.parametrize("status", [429, 500])
def test_a_sentry_that_refuses_slows_nobody_and_is_told_no_more_than_it_takes(status: int) -> None:
    with SentryServer(status).told_errors() as server:
        for _ in range(_ERRORS):
            structlog.get_logger().error("batch_fails")
        send_last_errors()
        assert server.envelopes
        if status == 429:  # it asked for a minute
            assert len(server.envelopes) < _ERRORS / 5


@pytest.mark.usefixtures("capsys")
def test_a_sentry_that_never_answers_holds_up_neither_the_work_nor_the_end() -> None:
    with SentryServer(silent=True).told_errors() as server:
        structlog.get_logger().error("first")
        assert server.asked.wait(60)
        # All of this while its first answer is still outstanding: a log that waited for it would wait for ever.
        for _ in range(_ERRORS):
            structlog.get_logger().error("batch_fails")
        send_last_errors()
        assert len(server.envelopes) == 1
        assert not server.released.is_set()


def test_what_names_nobody_stays_as_it_is() -> None:
    said = {
        "frames": ["services/kernel/run.py:12 run"],
        "at": "2026-11-29T12:43:05.123Z",
        "id": "0198a3c2-7d11-7abc-8def-001122334455",
        "told": "PostgreSQL refuses it: UniqueViolation (23505), people_email_key",
        "offset": 120043,
        "release": "4.13.0",
    }
    assert scrubbed(said) == said

"""The doors behave as their OpenAPI says, whatever is sent, rightly signed."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from standardwebhooks import Webhook

from db.pool import Pool
from demo.visitors import Visitor
from services.ingress.openapi import description
from services.kernel import Clock, Settings
from tests.services.ingress.bench import EVENT_SECRET, ORIGIN, Shop, open_shop, signed
from tests.services.ingress.running import running

pytestmark = [pytest.mark.usefixtures("topics"), pytest.mark.fuzz]
# Whether data that fit the schema are taken is not asked: the schema does not say that a placed order has a price.
_CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
_EXAMPLES, _MOST = 5, 200  # of each operation, sound and unsound


class Proof(AuthBase):
    """Signs whatever is sent as the store's senders would."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        assert isinstance(body, bytes)
        now = datetime.now(UTC)
        request.headers.update(
            signed(self._shop, body, at=now) | {"content-type": request.headers.get("content-type", "")}
        )
        if request.path_url.startswith("/events/"):
            signature = Webhook(EVENT_SECRET).sign("msg_1", now, body.decode("utf-8", "replace"))
            at = str(int(now.timestamp()))
            request.headers.update({"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": signature})
        request.headers["origin"] = ORIGIN
        return request


def trial(operation: Any, mode: GenerationMode, send: Callable[[Any], None], examples: int) -> None:
    """Send what the schema allows, or what it does not."""

    @hypothesis.settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        send(case)

    run()


async def test_every_answer_is_one_that_the_openapi_tells(
    settings: Settings, admin_pool: Pool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    examples = min(request.config.getoption("--examples") or _EXAMPLES, _MOST)
    shop = await open_shop(admin_pool, settings)
    async with running(settings, tmp_path) as ours, httpx.AsyncClient(base_url=ours.address) as client:
        visitor = Visitor(client, shop.website_token, ORIGIN, Clock())
        await visitor.arrive()
        answers = Counter[int]()
        names = {"store": shop.slug, "website_token": shop.website_token}

        def send(case: Any) -> None:
            case.path_parameters |= {name: value for name, value in names.items() if name in case.path_parameters}
            if isinstance(case.body, dict) and "token" in case.body:
                case.body["token"] = visitor.config["token"]
            answer = case.call_and_validate(base_url=ours.address, checks=_CHECKS, auth=Proof(shop))
            answers[answer.status_code] += 1

        for found in schemathesis.openapi.from_dict(description("test")).get_all_operations():
            assert isinstance(found, Ok)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                trial(found.ok(), mode, send, examples)

    print(dict(answers))
    assert answers.keys() >= {200, 204, 400}, "only the way to the guards was tried"

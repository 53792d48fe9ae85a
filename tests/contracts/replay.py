"""Recorded runs played against a double: each call at its recorded moment, its webhooks delivered before the next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.chatwoot.app import app
from local.chatwoot.double import Double
from tests.contracts.names import Names, account_of
from tests.recordings.recorded import Call, calls

# What the double does not play, by step, and why.
NOT_PLAYED = {
    "message.page.newest": "shows an attachment whose upload was not recorded",
    "message.page.before": "shows an attachment whose upload was not recorded",
    "conversation.page2": "one conversation more than were recorded",
}


@dataclass(frozen=True)
class Received:
    """A delivery of the double."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Played:
    """What came of a series of runs; `double` is as it was at the end."""

    runs: Sequence[str]
    double: Double
    names: Names
    total: int = 0
    answers: list[tuple[Call, httpx.Response]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    secrets: dict[str, str | None] = field(default_factory=dict)  # path of an account webhook -> its secret


async def play(runs: Sequence[str], release: str) -> Played:
    moment = [0.0]
    double = Double(release, now=lambda: datetime.fromtimestamp(moment[0], UTC))
    received: list[Received] = []

    async def receive_webhook(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        received.append(Received(request.url.path, dict(request.headers), await request.body()))
        await Response(status_code=204)(scope, receive, send)

    async with double.deliveries.running(httpx.ASGITransport(receive_webhook)), _client(double) as client:
        played = Played(runs, double, Names(), received=received)
        for call in [call for run in runs for call in calls(run)]:
            played.total += 1
            if call.step not in NOT_PLAYED:
                moment[0] = max(moment[0], call.sent_at)
                played.answers.append((call, await _send(played, client, call)))
                await double.deliveries.settled()
    return played


async def _send(played: Played, client: httpx.AsyncClient, call: Call) -> httpx.Response:
    """The call in the double's own names; what its answer names anew is learnt."""
    names, state = played.names, played.double.state
    if call.step == "platform.account.create":
        names.texts[call.request_headers["api_access_token"]] = state.platform_token
    if call.status == httpx.codes.TOO_MANY_REQUESTS:  # the calls that used the minute up were not recorded
        played.double.limits.spend(call.request_headers["X-Forwarded-For"], played.double.limits.per_address)
    body = None if call.request is None else orjson.dumps(names.value(call.request, account_of(call.path)))
    headers = {name: names.texts.get(value, value) for name, value in call.request_headers.items()}
    answer = await client.request(call.method, names.path(call.path), content=body, headers=headers)
    if answer.status_code == call.status == httpx.codes.OK and answer.content:
        names.learn(call, answer.json())
    for account in state.accounts.values():
        played.secrets |= {httpx.URL(hook.url).path: hook.secret for hook in account.webhooks.values()}
    return answer


def _client(double: Double) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app(double)), base_url="http://double")

"""Webhooks of the double: signed as the recorded ones are, as many of each event, with the same keys."""

from collections import Counter, defaultdict
from collections.abc import Iterable

import orjson
import pytest

from services.ingress.signatures import Signer
from tests.contracts.keys import keys
from tests.contracts.replay import Played, Received
from tests.recordings.recorded import Delivery, account_webhooks, stores

# What recorded bodies may hold and the double's do not.
_NOT_PLAYED = (
    ".attachments",
    ".conversation.messages[].attachments",
    ".changed_attributes[].label_list",  # of contacts
    ".changed_attributes[].display_id",  # the second save of a new conversation
    ".changed_attributes[].uuid",
)
# Bodies are built later than the event, when more or less has happened: what these hold is chance.
_CHANCE = {"conversation_created": ".messages[]", "webwidget_triggered": ".current_conversation."}
_MOST_OFF = 0.1  # of a number of deliveries; some calls were not recorded
_HEADERS = ("x-chatwoot-delivery", "x-chatwoot-timestamp", "x-chatwoot-signature")


def test_webhooks_hold_every_key_that_recorded_ones_always_have_and_none_that_they_never_have(played: Played) -> None:
    recorded, ours = _forms(_recorded(played)), _forms(_own(played))
    assert ours.keys() == recorded.keys()
    for event, forms in ours.items():
        chance = _CHANCE.get(event, "?")
        ever, always = set().union(*recorded[event]), set.intersection(*recorded[event])
        shown = set().union(*forms)
        assert {key for key in shown - ever if not key.startswith(chance)} == set(), event
        assert all(always <= form for form in forms), event
        assert {key for key in ever - shown if not key.startswith((*_NOT_PLAYED, chance))} == set(), event


def test_as_many_webhooks_go_out_as_were_recorded(played: Played) -> None:
    recorded = Counter(_event(one) for one in _recorded(played))
    ours = Counter(_event(one) for one in _own(played))
    print(f"{' and '.join(played.runs)}: {ours.total()} account webhooks, {recorded.total()} recorded: {dict(ours)}")
    assert ours == {event: pytest.approx(count, rel=_MOST_OFF) for event, count in recorded.items()}


def test_webhooks_verify_as_recorded_ones_do_where_the_release_signs(played: Played) -> None:
    secrets = {f"/hooks/{one['name']}": one["secret"] for run in played.runs for one in stores(run)}
    signed = played.double.state.release.signs
    assert {_verifies(one, secrets[one.path]) for one in _recorded(played)} == {signed}
    assert {_verifies(one, played.secrets[one.path]) for one in _own(played)} == {signed}


def _verifies(delivery: Delivery | Received, secret: str | None) -> bool:
    """By the check of our own door; False without any of the headers."""
    given = [delivery.headers.get(name) for name in _HEADERS]
    if secret is None:
        assert given == [None, None, None]
        return False
    _, timestamp, signature = (str(one).encode() for one in given)
    return Signer(secret.encode()).signature(timestamp, delivery.body) == signature


def _recorded(played: Played) -> list[Delivery]:
    return [one for run in played.runs for one in account_webhooks(run)]


def _own(played: Played) -> list[Received]:
    return [one for one in played.received if one.path.startswith("/hooks/")]


def _event(delivery: Delivery | Received) -> str:
    return str(orjson.loads(delivery.body)["event"])


def _forms(deliveries: Iterable[Delivery | Received]) -> dict[str, list[set[str]]]:
    """The keys of each body, by event."""
    forms = defaultdict(list)
    for one in deliveries:
        forms[_event(one)].append(keys(orjson.loads(one.body)))
    return forms

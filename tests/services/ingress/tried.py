"""One run of schemathesis against the doors: every check it has, and one of ours for what a 200 tells."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from jsonschema import Draft202012Validator
from schemathesis import Case, CheckContext, Response
from schemathesis.engine import events, from_schema

from tests.services.ingress.described import EVENTS, Sender, described

_REFUSED = ["400", "401", "403", "404", "405", "413", "415"]


@dataclass
class Round:
    """What was answered, which checks were made, and what they found."""

    answers: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    found: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def note(self, event: Any) -> None:
        assert not isinstance(event, events.NonFatalError | events.FatalError), vars(event)
        if not isinstance(event, events.ScenarioFinished):
            return
        for case, checks in event.recorder.checks.items():
            answer = event.recorder.interactions[case].response
            self.answers[f"{event.label} {answer.status_code if answer else 'none'}"] += 1
            for check in checks:
                self.checks[check.name] += 1
                if failed := check.failure_info:
                    where = (event.phase.value, str(event.label), check.name)
                    self.found[where] = f"{failed.failure}\n{failed.failure.message}\n{failed.code_sample}"


def tried(at: str, sender: Sender, *, taken: bool, seed: int, examples: int, whole: bool) -> Round:
    """What fits the document is to be `taken`, or refused for want of a proof; what does not fit is to be refused.

    Not `whole`: of the media types only one an operation, and for strangers only chance.
    """
    post, get = (["204"], ["200"]) if taken else (["401", "403"], ["401", "403"])
    # Several events are judged each on its own. Which of them a 200 refuses, our own check looks at.
    several = {"checks": {"negative_data_rejection": {"expected-statuses": ["200", *_REFUSED]}}}
    schema = described(
        at,
        sender,
        media_types=slice(None) if whole else slice(1),
        seed=seed,
        generation={"max-examples": examples, "database": "none"},
        phases={"coverage": {"enabled": whole or taken}},
        checks={
            "positive_data_acceptance": {"expected-statuses": post},
            "negative_data_rejection": {"expected-statuses": _REFUSED},
        },
        operations=[
            *({"include-path": path} | several for path in ("/beacons", EVENTS)),
            {"include-method": "GET", "checks": {"positive_data_acceptance": {"expected-statuses": get}}},
        ],
    )
    found = Round()
    for event in from_schema(schema).execute():
        found.note(event)
    return found


@schemathesis.check
def events_refused_are_those_that_do_not_fit(_ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """And the request is sound but for them, where any was taken."""
    answer = response.json() if response.headers.get("content-type") == ["application/json"] else {}
    if "refused" not in answer:
        return
    fits = _Fits(case.operation.schema.raw_schema)
    body: Any = case.body
    if case.operation.path == EVENTS:
        sent, of = body if isinstance(body, list) else [body], "ShopEvent"
    else:
        sent, of = body["events"], "Beacon"
    unsound = [index for index, one in enumerate(sent) if not fits(of, one)]
    assert [one["index"] for one in answer["refused"]] == unsound, f"{answer}, but {unsound} do not fit"
    assert answer["taken"] == len(sent) - len(unsound)
    if answer["taken"] and of == "Beacon":
        assert fits("BeaconPost", body | {"events": [one for one in sent if fits(of, one)]})


class _Fits:
    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def __call__(self, model: str, value: Any) -> bool:
        one = Draft202012Validator(self._document | {"$ref": f"#/components/schemas/{model}"})
        return bool(one.is_valid(value))

"""How an operator says since when, and is asked."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

import services
from services.kernel import Refusal
from services.kernel.cli.terminal import ask_first, show, since
from tests.services.control.verbs import call


def test_dates_are_of_utc_unless_they_name_a_zone() -> None:
    assert since("2026-11-01T09:00") == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert since("2026-11-01T09:00+01:00") == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert since(None) is None


def test_span_counts_back_from_now() -> None:
    before, moment, after = datetime.now(UTC), since("7d"), datetime.now(UTC)
    assert moment is not None
    assert before <= moment + timedelta(days=7) <= after


@pytest.mark.parametrize(
    "text", ["yesterday", "7y", "99999999999d", "999999999d", "0001-01-01", "9999-12-31T23:59-12:00"]
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Refusal, match="say 30m, 12h"):
        since(text)


@pytest.mark.parametrize(("as_json", "out"), [(True, ""), (False, "letters\n1      \n")], ids=["json", "table"])
def test_what_is_asked_about_is_no_part_of_an_answer_in_json(
    *, as_json: bool, out: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: True)

    ask_first("Forget them?", as_json=as_json, shown=lambda: show(["letters"], [["1"]]))

    said = capsys.readouterr()
    assert (said.out, "letters" in said.out + said.err) == (out, True)


async def test_a_verb_that_is_answered_yes_prints_json_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: True)
    (tmp_path / "spool").mkdir()

    done = await call("spool", "discard", "--json", environment={"WOOTSTREAM_DATA_DIRECTORY": str(tmp_path)})

    assert json.loads(done.stdout) == {"discarded": 0}
    assert "0 records" in done.stderr


def test_numbers_of_a_table_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """Those with decimals, and shares, are numbers; what people wrote is not, whatever it looks like."""
    show(("name", "seconds", "share"), [("5%", 5.5, "7%"), ("1,000 %", 12345.0, "100%"), ("none", None, None)])

    assert capsys.readouterr().out.splitlines() == [
        "name     seconds  share",
        "5%           5.5     7%",
        "1,000 %  12345.0   100%",
        "none                   ",
    ]


def test_every_verb_asks_in_this_way() -> None:
    rooms = Path(services.__file__).parent
    asking = [file.name for file in rooms.rglob("*.py") if "typer.confirm(" in file.read_text()]
    assert asking == ["terminal.py"], "ask with ask_first: beside --json what is shown before belongs on stderr"

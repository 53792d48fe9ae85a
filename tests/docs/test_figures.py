"""The README's figures are those of docs/measurements.md, which has the same commands."""

import re
from collections.abc import Iterator

from tests.docs.reading import ROOT

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def rows(page: str) -> Iterator[tuple[str, str, str]]:
    """What was shown, the figure and the command of each line that has one."""
    command = ""
    for line in (ROOT / page).read_text().splitlines():
        cells = line.strip("| ").split(" | ")
        if len(cells) == 3 and (named := re.match(r"`([^`]+)`|the same$", cells[2])):
            command = named[1] or command
            yield cells[0], cells[1], command


def test_a_figure_of_the_readme_stands_among_the_measurements_with_its_command() -> None:
    measured: dict[str, set[str]] = {}
    for what, figure, command in rows("docs/measurements.md"):
        measured.setdefault(command, set()).update(_NUMBER.findall(f"{what} {figure}"))
    shown = [(figure, command) for _, figure, command in rows("README.md")]
    assert len(shown) > 5
    assert [(figure, command) for figure, command in shown if not {*_NUMBER.findall(figure)} <= measured[command]] == []

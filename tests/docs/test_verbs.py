"""Every verb that a page names is there, with the options that the page gives it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from services.cli import command_line
from tests.docs.reading import fenced_lines, pages_of_today, spans

# As it is installed; in a container of compose.yaml; and behind a first mention by its own name alone.
_CALLED = re.compile(r"(?:^|[\s/])(?:wootstream|run --rm(?: -v \S+)? verb|^verb) (\S.*)")
_FOREIGN = re.compile(r"\s*(?:alter role|kubectl) ")  # a role and a namespace of that name
ROOT_COMMAND: Any = typer.main.get_command(command_line())


def calls(text: str) -> Iterator[list[str]]:
    """What stands behind `wootstream`, in words; a verb's name alone in backticks counts where it is of two words."""
    for code in spans(text):
        plain = code.replace("\\|", "|")
        words = _words(called[1] if (called := _CALLED.search(plain)) else plain)
        if (called and not _FOREIGN.match(code)) or (len(words) > 1 and _leads_on(words[0])):
            yield words
    for line in fenced_lines(text):
        if (called := _CALLED.search(line.partition(" #")[0])) and not _FOREIGN.match(line):
            yield _words(called[1])


def _words(said: str) -> list[str]:
    return said.replace("[", " ").replace("]", " ").split()


def _leads_on(name: str) -> bool:
    return hasattr(ROOT_COMMAND.commands.get(name), "commands")


def faults(command: Any, words: list[str]) -> list[str]:
    """What of these words the command does not know; `a|b` are two calls."""
    word = words[0] if words else "…"
    if not hasattr(command, "commands") or word.startswith("--"):
        return _unknown_options(command, words)
    if word.startswith(("…", "{")):  # the page speaks of all of them
        return []
    found = []
    for name in word.rstrip(",.;:").split("|"):
        inner = command.commands.get(name)
        found += [f"no {name}"] if inner is None else faults(inner, words[1:])
    return found


def _unknown_options(command: Any, words: list[str]) -> list[str]:
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    said = [word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)]
    return [f"no {name}" for name in said if name not in options]


@pytest.mark.parametrize("page", pages_of_today(), ids=lambda page: page.stem)
def test_verbs_are_there_with_the_options_that_the_page_gives_them(page: Path) -> None:
    wrong = {" ".join(words): why for words in calls(page.read_text()) if (why := faults(ROOT_COMMAND, words))}
    assert wrong == {}


def test_a_verb_and_an_option_that_are_not_there_are_noticed() -> None:
    text = "`wootstream stores plan\\|aply [--live] FILE`, in short `push mod STORE live`, `stores check --live`"
    assert [faults(ROOT_COMMAND, words) for words in calls(text)] == [["no --live", "no aply"], ["no mod"], []]


def test_the_pages_were_read() -> None:
    assert sum(len(list(calls(page.read_text()))) for page in pages_of_today()) > 200

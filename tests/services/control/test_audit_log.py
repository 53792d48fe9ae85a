"""Every verb either writes down who used it, by its kind, or changes nothing of anybody's and shows no person."""

import re
from collections.abc import Iterator
from pathlib import Path

import typer

import services
from services.cli import command_line

_NOTED = {
    "stores add": "stores add",
    "stores apply": "stores apply",
    "stores provision": "stores apply",
    "stores rotate": "stores rotate",
    "stores set": "stores set",
    "stores token": "stores token",
    "stores suspend": "stores suspend",
    "stores resume": "stores resume",
    "stores remove": "stores remove",
    "people add": "people add",
    "people remove": "people remove",
    "people list": "people list",
    "people token add": "people token add",
    "people token list": "people token list",
    "people token revoke": "people token revoke",
    "offsets adopt": "offsets adopt",
    "dead-letters show": "dead-letters show --reveal",
    "dead-letters redrive": "dead-letters redrive",
    "dead-letters discard": "dead-letters discard",
    "keys rotate": "keys rotate",
    "push diff": "push diff",
    "push drift": "push drift",
    "push mode": "push mode",
    "push now": "push now",
    "partitions rebuild": "partitions rebuild",
    "spool export": "spool export",
    "spool discard": "spool discard",
    "explain conversation": "explain conversation",
    "explain customer": "explain customer",
    "import history": "import history",
    "import customers": "import customers",
    "export customers": "export customers",
    "privacy find": "privacy find",
    "privacy export": "privacy export",
    "privacy fetch": "privacy fetch",
    "privacy refuse": "privacy refuse",
    "privacy erase": "privacy erase",
    "privacy hold": "privacy hold",
    "privacy replay": "privacy replay",
    "privacy retention set": "privacy retention set",
    "consent show": "consent show",
    "consent give": "consent give",
    "consent withdraw": "consent withdraw",
    "consent need": "consent need",
}
_QUIET = {
    # figures, states and descriptions, in which nobody is named
    "doctor", "audit", "audit-log", "privacy record", "settings", "openapi", "report", "offsets show",
    "dead-letters list", "keys list",
    "spool status", "stores list", "stores plan", "stores check", "stores discover", "stores show",
    # what was asked for and written down before
    "privacy requests", "privacy resume",
    # how long a store keeps what
    "privacy retention show",
    # of the deployment, before or beside a database: its own log has them
    "run", "migrate", "topics", "keys add", "local", "demo", "replay",
    # what is at hand already: a file that is verified, a stream in which bodies are not shown
    "verify", "tail",
}  # fmt: skip


def _verbs(group: typer.Typer, *before: str) -> Iterator[str]:
    for one in group.registered_commands:
        name = one.name or (one.callback.__name__ if one.callback else "")
        yield " ".join((*before, name.rstrip("_").replace("_", "-")))
    for inner in group.registered_groups:
        assert inner.typer_instance
        yield from _verbs(inner.typer_instance, *before, str(inner.name))


def _quiet(verb: str) -> bool:
    return any(verb == one or verb.startswith(f"{one} ") for one in _QUIET)


def test_every_verb_is_written_down_or_has_nothing_to_write_down() -> None:
    verbs = set(_verbs(command_line()))
    assert {one for one in verbs if not _quiet(one)} == {*_NOTED}
    assert {one for one in _NOTED if _quiet(one)} == set()


def test_every_kind_stands_in_the_code_that_writes_it() -> None:
    written = set()
    for path in Path(services.__file__).parent.rglob("*.py"):
        text = path.read_text()
        if "note(" in text:
            written |= set(re.findall(r'"((?:[a-z-]+ )+[a-z-]+)"', text))
    assert {*_NOTED.values()} - written == set()

"""Rows are built by keyword and sent as columns: a row's fields are its statement's columns, in their order."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

import pytest

import db
from db.people import contacts, customers, visits
from db.people.contacts import ContactRow, NamesRow
from db.people.customers import CustomerRow, OrderRow, ShopFactRow
from db.people.visits import VisitRow
from db.privacy import consents, erased, seals, unnamed_chats
from db.privacy.consents import ConsentRow
from db.privacy.erased import ErasedRow
from db.privacy.seals import SealTreeRow
from db.privacy.unnamed_chats import WithheldRow
from db.records import acknowledged, dead_letters, ledger, refusals, spooled
from db.records.acknowledged import AcknowledgedRow
from db.records.dead_letters import Letter
from db.records.ledger import Move
from db.records.refusals import RefusalRow
from db.records.spooled import SpooledRow
from db.reporting import conversations, facts
from db.reporting.conversations import (
    ConversationCustomerRow,
    ConversationRow,
    EventCountRow,
    HeadRow,
    ReportingEventRow,
)
from db.reporting.facts import ChangeRow, MessageRow, RatingRow
from db.widget import event_rows
from db.widget.binary_rows import WidgetEventRow

_STATEMENTS: list[tuple[type[tuple[object, ...]], ModuleType, str]] = [
    (AcknowledgedRow, acknowledged, "_PUT"),
    (ChangeRow, facts, "_KEEP_CHANGES"),
    (ConsentRow, consents, "_ADD"),
    (ContactRow, contacts, "_SEE"),
    (ConversationCustomerRow, conversations, "_PUT_CUSTOMERS"),
    (ConversationRow, conversations, "_PUT_ROWS"),
    (CustomerRow, customers, "_PUT_CUSTOMERS"),
    (ErasedRow, erased, "_ADD"),
    (SealTreeRow, seals, "_ADD"),
    (EventCountRow, conversations, "_TRIM_EVENTS"),
    (HeadRow, conversations, "_PUT_HEADS"),
    (Letter, dead_letters, "_INSERT"),
    (MessageRow, facts, "_KEEP_MESSAGES"),
    (Move, ledger, "_MOVES"),
    (NamesRow, contacts, "_KNOWN"),
    (NamesRow, contacts, "_RELEASE"),
    (OrderRow, customers, "_PUT_ORDERS"),
    (RatingRow, facts, "_KEEP_RATINGS"),
    (RefusalRow, refusals, "_ADD"),
    (ReportingEventRow, conversations, "_PUT_EVENTS"),
    (ShopFactRow, customers, "_ADD_FACTS"),
    (SpooledRow, spooled, "_PUT"),
    (VisitRow, visits, "_PUT_VISITS"),
    (WidgetEventRow, event_rows, "_ADD"),
    (WithheldRow, unnamed_chats, "_WITHHOLD"),
]
_INTO = re.compile(r"insert into [\w.]+(?: as \w+)?\s*\(([^)]+)\)")
_UNNEST = re.compile(
    r"unnest\(((?:(?:\(select )?\$\d+::[\w.]+\[\]\)?(?:,\s*)?)+)\)(?:\s+with ordinality)?(?:\s+as \w+ \(([^)]+)\))?"
)


class Sent(NamedTuple):
    """What a statement takes: the names of its columns, and how many arrays."""

    names: list[str]
    arrays: int


def sent(statement: str) -> Sent:
    """Named by the unnest itself, else by the insert that takes it whole."""
    unnest = _UNNEST.search(statement)
    assert unnest, statement
    into = _INTO.search(statement)
    names = [name.strip() for name in (unnest[2] or (into[1] if into else "")).split(",")]
    return Sent(names[:-1] if "with ordinality" in unnest[0] else names, unnest[1].count("::"))


@pytest.mark.parametrize(
    ("row", "module", "name"), _STATEMENTS, ids=[f"{row.__name__} {name}" for row, _, name in _STATEMENTS]
)
def test_fields_are_the_statements_columns(row: type[tuple[object, ...]], module: ModuleType, name: str) -> None:
    fields: tuple[str, ...] = row._fields  # type: ignore[attr-defined]
    assert Sent(list(fields), len(fields)) == sent(getattr(module, name))


def test_every_row_of_db_is_held_against_a_statement() -> None:
    assert set(_rows()) == {row for row, _, _ in _STATEMENTS}


def _rows() -> Iterator[type[tuple[object, ...]]]:
    for info in pkgutil.walk_packages(db.__path__, "db."):
        if not info.name.startswith("db.migrations"):
            for one in vars(importlib.import_module(info.name)).values():
                if isinstance(one, type) and issubclass(one, tuple) and hasattr(one, "_fields"):
                    yield one

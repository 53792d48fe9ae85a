"""`wootstream report …`, `wootstream explain conversation …` and `wootstream import history`."""

import asyncio
from uuid import UUID

import typer

from db.pool import Connection
from services.conversations.chatwoot import import_history
from services.conversations.reports.cli import report
from services.conversations.reports.explain import ExplainedFact, explain
from services.conversations.repository import MOST_AT_ONCE, look
from services.conversations.store_rules import known_stores
from services.kernel import Refusal
from services.kernel.actor import note
from services.kernel.cli.environment import each_store
from services.kernel.cli.terminal import Json, print_json, show
from services.kernel.printable import utc

explains = typer.Typer(no_args_is_help=True, help="Where a figure comes from.")


def add_to(app: typer.Typer) -> None:
    """Register the verbs of this service."""
    app.add_typer(report, name="report")
    app.add_typer(explains, name="explain")
    app.add_typer(import_history.import_, name="import")


@explains.callback()
def _explain() -> None:
    """Where a figure comes from."""


@explains.command()
def conversation(store: str, number: int, as_json: Json = False) -> None:
    """Each figure of a conversation with the facts that made it, in the order of time."""
    steps = asyncio.run(each_store(store, lambda conn, id_, _: _explained(conn, id_, number)))[store]
    if as_json:
        print_json([step._asdict() for step in steps])
    else:
        show(("moment", "fact", "made"), [(utc(one.at), one.fact, "\n".join(one.made)) for one in steps])


async def _explained(conn: Connection, organization: UUID, number: int) -> list[ExplainedFact]:
    found, known = await look(conn, (organization, number)), await known_stores(conn, ())
    if found is None:
        raise Refusal(f"nothing is known of conversation {number}: no webhook about it came")
    head, facts = found
    if facts is None:
        raise Refusal(
            f"conversation {number} has more than {MOST_AT_ONCE:,} messages or changes, which is more than is shown"
        )
    await note(conn, "explain conversation", store=organization, thing=f"conversation {number}")
    steps = explain(facts, known[organization].rules(facts.snapshot.state.inbox_id))
    if since := head.not_reckoned_since:
        steps.append(ExplainedFact(since, "too long to be reckoned: its figures stand still since then", ()))
    return steps

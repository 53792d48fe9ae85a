"""`wootstream`: every verb; the only module that knows all services. What a verb does lives in its service."""

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import asyncpg
import typer
import uvloop
from aiokafka.errors import KafkaError

from db.address import BadAddress
from db.migrate import MigrationChanged, MigrationLocked, MigrationPooled, migrate
from services.contacts import app as contacts
from services.contacts import cli as pushes
from services.control import app as verbs
from services.control import cli as control
from services.control.keys import cli as keys
from services.conversations import app as conversations
from services.conversations import cli as figures
from services.conversations.reports.cli import report
from services.customers import app as customers
from services.ingress import app as ingress
from services.ingress import cli as doors
from services.ingress.sealed_files import Spools, StoreCopies
from services.ingress.spool import cli as spool
from services.kernel import Process, Refusal, Stop
from services.kernel import run as run_services
from services.kernel.cli.environment import environment, installed
from services.kernel.errors import describe
from services.kernel.kafka.topics import ensure_topics
from services.kernel.printable import printable_lines
from services.kernel.telemetry.logs import configure_logs, quiet_client_logs
from services.widget import app as widget
from services.widget import cli as widget_verbs

SERVICES: dict[str, Callable[[Process], None]] = {
    "ingress": ingress.add_to,
    "conversations": conversations.add_to,
    "widget": widget.add_to,
    "customers": customers.add_to,
    "contacts": contacts.add_to,
    "control": verbs.add_to,
}

app = typer.Typer(
    name="wootstream",
    help="Ties many web shops to their Chatwoot accounts: nothing lost, nothing doubled, figures that agree.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    names: Annotated[list[str] | None, typer.Argument(help=f"of: {', '.join(SERVICES)}; left out: all")] = None,
) -> None:
    """Run services in one process until SIGTERM or Ctrl-C."""
    if unknown := set(names or ()) - SERVICES.keys():
        raise Refusal(f"there is no service {', '.join(sorted(unknown))}; there are: {', '.join(SERVICES)}")
    settings = installed()
    configure_logs(settings.log_level, settings.log_format)
    chosen = [add_to for name, add_to in SERVICES.items() if not names or name in names]
    raise typer.Exit(uvloop.run(run_services(settings, chosen)))


@app.command(name="migrate")
def migrate_() -> None:
    """Bring the database to this release; needs an administrator's DATABASE_URL."""
    url = environment().database_direct_url or installed(kafka=False).database_url
    assert url is not None
    names = asyncio.run(migrate(url.get_secret_value()))
    print("\n".join(f"applied {name}" for name in names) or "nothing to do")


@app.command()
def topics() -> None:
    """Make the topics that are absent and set the settings of those that are there."""
    names = asyncio.run(ensure_topics(installed(database=False)))
    print("\n".join(f"made {name}" for name in names) or "all there")


def _has_local() -> bool:
    """Whether this is a checkout. A folder of that name, such as that in /usr, is a package without a file."""
    spec = importlib.util.find_spec("local")
    return spec is not None and spec.origin is not None


def _only_in_a_checkout(_: Annotated[list[str] | None, typer.Argument(hidden=True)] = None) -> None:
    """What only a developer's machine has is not installed here."""
    raise Refusal("local, demo and replay work in a checkout alone: `make install` there, then .venv/bin/wootstream …")


figures.add_to(app)
control.add_to(app)
keys.add_to(app, lambda settings: (Spools(settings), StoreCopies(settings)))
pushes.add_to(app)
widget_verbs.add_to(app, report)
doors.add_to(app)
spool.add_to(app)
if _has_local():
    from local import cli as local

    local.add_to(app)
else:
    for verb in ("local", "demo", "replay"):
        app.command(name=verb, hidden=True, context_settings={"ignore_unknown_options": True})(_only_in_a_checkout)


def main() -> None:
    """The command line: what a person can cure is one sentence and exit code 2."""
    quiet_client_logs()
    try:
        app()
    except (Refusal, Stop, MigrationChanged, MigrationLocked) as reason:
        _refuse(str(reason))
    except MigrationPooled as reason:
        _refuse(f"{reason}: set DATABASE_DIRECT_URL to it")
    except BadAddress as reason:
        _refuse(f"DATABASE_URL {reason}")
    except KafkaError as error:
        _refuse(f"Kafka does not answer ({describe(error)}): see that it runs, and KAFKA_BOOTSTRAP_SERVERS")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError, TimeoutError) as error:
        _refuse(f"PostgreSQL does not answer as it should ({describe(error)}): see that it runs, and DATABASE_URL")


def _refuse(sentence: str) -> NoReturn:
    print(printable_lines(sentence), file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()

"""`wootstream`: every verb; the only module that knows all services. What a verb does lives in its service."""

import asyncio
import errno
import gc
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import asyncpg
import typer
from aiokafka.errors import KafkaError

from db.address import BadAddress
from db.migrate import MigrationChanged, MigrationLocked, MigrationPooled, migrate
from services.kernel import Refusal, Retryable, Sealed, Stop
from services.kernel.cli.environment import environment, installed
from services.kernel.errors import describe, given_value
from services.kernel.kafka.topics import ensure_topics
from services.kernel.printable import printable_lines
from services.kernel.telemetry.logs import configure_logs, quiet_client_logs

if TYPE_CHECKING:
    from services.kernel import Process

# Modules by name: a process loads what it runs, and a verb what it does, not what all the others need.
SERVICES: Mapping[str, str] = {
    "ingress": "services.ingress.app",
    "conversations": "services.conversations.app",
    "widget": "services.widget.app",
    "customers": "services.customers.app",
    "contacts": "services.contacts.app",
    "control": "services.control.app",
    "privacy": "services.privacy.app",
}
_LOCAL = ("local", "demo", "replay")
_INTERRUPTED = 130  # as shells say of what SIGINT ended
_COLLECT_AFTER = 50_000  # objects: a short verb is mostly modules, which stay, and to look through them finds nothing


def run(
    names: Annotated[list[str] | None, typer.Argument(help=f"of: {', '.join(SERVICES)}; left out: all")] = None,
) -> None:
    """Run services in one process until SIGTERM or Ctrl-C."""
    if unknown := set(names or ()) - SERVICES.keys():
        raise Refusal(f"there is no service {', '.join(sorted(unknown))}; there are: {', '.join(SERVICES)}")
    settings = installed()
    configure_logs(settings.log_level, settings.log_format)
    import uvloop

    from services.kernel.run import run as run_services

    chosen = [_added_by(module) for name, module in SERVICES.items() if not names or name in names]
    raise typer.Exit(uvloop.run(run_services(settings, chosen)))


def _added_by(module: str) -> Callable[["Process"], None]:
    add_to: Callable[[Process], None] = importlib.import_module(module).add_to
    return add_to


def migrate_() -> None:
    """Bring the database to this release; needs an administrator's DATABASE_URL."""
    url = environment().database_direct_url or installed(kafka=False).database_url
    assert url is not None
    names = asyncio.run(migrate(url.get_secret_value()))
    print("\n".join(f"applied {name}" for name in names) or "nothing to do")


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


def _add_own(app: typer.Typer) -> None:
    app.command()(run)
    app.command(name="migrate")(migrate_)
    app.command()(topics)


def _add_figures(app: typer.Typer) -> None:
    """Conversations' and, side by side with its own verbs below `report`, `explain` and `import`, other services'."""
    conversations = importlib.import_module("services.conversations.cli")
    conversations.add_to(app)
    importlib.import_module("services.contacts.explain_customer").add_to(conversations.explains)
    reports = importlib.import_module("services.conversations.reports.cli")
    importlib.import_module("services.widget.cli").add_to(app, reports.report)
    imports = importlib.import_module("services.conversations.chatwoot.import_history")
    importlib.import_module("services.customers.cli").add_to(app, imports.import_)


def _add_privacy(app: typer.Typer) -> None:
    """What is asked of people, and beside it how long a store keeps what."""
    privacy = importlib.import_module("services.privacy.cli")
    privacy.add_to(app)
    importlib.import_module("services.privacy.retention.cli").add_to(privacy.app)


def _add_control(app: typer.Typer) -> None:
    """Its `stores remove --erase` is done by the service privacy, which is loaded where it is asked for."""
    control = importlib.import_module("services.control.cli")
    remove = importlib.import_module("services.control.stores.remove_cli")

    def privacy(verb: str) -> Callable[[str], Any]:
        return lambda slug: getattr(importlib.import_module("services.privacy.cli"), verb)(slug)

    control.add_to(app, remove.StoreErasing(look=privacy("look_at_store"), erase=privacy("erase_store")))


def _add_keys(app: typer.Typer) -> None:
    """The one room that must be told of another's files."""
    keys = importlib.import_module("services.control.keys.cli")
    sealed = importlib.import_module("services.ingress.sealed_files")
    keys.add_to(app, lambda settings: (sealed.Spools(settings), sealed.StoreCopies(settings)))


def _add_local(app: typer.Typer) -> None:
    if _has_local():
        importlib.import_module("local.cli").add_to(app)
        return
    for verb in _LOCAL:
        app.command(name=verb, hidden=True, context_settings={"ignore_unknown_options": True})(_only_in_a_checkout)


def _of(module: str) -> Callable[[typer.Typer], None]:
    return lambda app: importlib.import_module(module).add_to(app)


# Who adds which verbs, in the order of the help.
VERBS: Sequence[tuple[Callable[[typer.Typer], None], tuple[str, ...]]] = (
    (_add_own, ("run", "migrate", "topics")),
    (_add_figures, ("report", "explain", "import", "export", "partitions")),
    (
        _add_control,
        ("stores", "doctor", "people", "audit", "audit-log", "offsets", "dead-letters", "settings"),
    ),
    (_add_keys, ("keys",)),
    (_of("services.contacts.cli"), ("push",)),
    (_add_privacy, ("privacy",)),
    (_of("services.privacy.consent.cli"), ("consent",)),
    (_of("services.ingress.cli"), ("tail", "verify", "openapi")),
    (_of("services.ingress.spool.cli"), ("spool",)),
    (_add_local, _LOCAL),
)


def command_line(asked: str | None = None) -> typer.Typer:
    """The verbs of the room that has the one that is asked for; all, for the help or to say what there is."""
    app = typer.Typer(
        name="wootstream",
        help="Ties many web shops to their Chatwoot accounts: nothing lost, nothing doubled, figures that agree.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)  # with a single verb typer would take the verb's name for its argument
    for add in [add for add, verbs in VERBS if asked in verbs] or [add for add, _ in VERBS]:
        add(app)
    return app


def main() -> None:
    """The command line: what a person can cure is one sentence and exit code 2."""
    _open_streams()
    configure_logs("warning", "console")  # until a verb asks for more: stdout belongs to answers
    quiet_client_logs()
    gc.set_threshold(_COLLECT_AFTER)
    _check_text(sys.argv[1:])
    try:
        command_line(sys.argv[1] if len(sys.argv) > 1 else None)()
    except (Refusal, Stop, Sealed, MigrationChanged, MigrationLocked) as reason:
        _refuse(str(reason))
    except MigrationPooled as reason:
        _refuse(f"{reason}: set DATABASE_DIRECT_URL to it")
    except BadAddress as reason:
        _refuse(f"DATABASE_URL {reason}")
    except Retryable as reason:
        _refuse(f"{reason}: say the same again later")
    except KafkaError as error:
        _refuse(f"Kafka does not answer ({describe(error)}): see that it runs, and KAFKA_BOOTSTRAP_SERVERS")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError, TimeoutError) as error:
        _refuse(given_value(error) or _of_postgres(error))
    except OSError as error:
        _refuse(_of_system(error))
    except KeyboardInterrupt:  # while modules were loaded; later it is the verb's
        sys.exit(_INTERRUPTED)
    finally:
        gc.freeze()  # or the end would walk every module there is, a quarter of what a short verb costs


def _open_streams() -> None:
    """A standard stream that was closed says and takes nothing; else the next file or socket would have its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))  # noqa: SIM115


def _check_text(arguments: Sequence[str]) -> None:
    """Bytes that are no UTF-8 reach Python as halves of pairs, which no column, seal or JSON takes. An argument may be
    a secret, so it is not repeated."""
    for number, one in enumerate(arguments, 1):
        if any("\ud800" <= character <= "\udfff" for character in one):
            _refuse(f"argument {number} is no UTF-8: write it in UTF-8")


def _of_postgres(error: Exception) -> str:
    return f"PostgreSQL does not answer as it should ({describe(error)}): see that it runs, and DATABASE_URL"


def _of_system(error: OSError) -> str:
    """A path is at fault where there is one; what has none is a full disk, or a server's name or way."""
    if error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror}"
    return "the disk is full" if error.errno == errno.ENOSPC else _of_postgres(error)


def _refuse(sentence: str) -> NoReturn:
    print(printable_lines(sentence), file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()

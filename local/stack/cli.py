"""`wootstream local`: the stack alone, for people and scripts."""

import asyncio
import json
from collections.abc import Coroutine
from contextlib import contextmanager
from dataclasses import asdict
from shlex import quote
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from local import stack
from services.kernel.cli.environment import environment
from services.kernel.settings import Settings

app = typer.Typer(
    name="local", help="Kafka and PostgreSQL on this machine, without installing either.", no_args_is_help=True
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Result = TypeVar("Result")

_stderr = Console(stderr=True)


@app.command()
def start(as_json: JsonOption = False) -> None:
    """Start what does not run yet; it stays up until `stop`."""
    with fetching() as progress:
        settings = environment()
        running = _carry_out(stack.start(settings.stack_directory, over_tls=settings.stack_tls, progress=progress))
    if as_json:
        print(json.dumps(asdict(running)))
    else:
        print("\n".join(f"export {Settings.variable(name)}={quote(value)}" for name, value in running.settings.items()))


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Say what runs; exit 1 unless both do."""
    found = stack.status(environment().stack_directory)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        print(f"Kafka       {found.kafka or 'stopped'}\nPostgreSQL  {found.database_url or 'stopped'}")
    raise typer.Exit(0 if found.running else 1)


@app.command()
def stop(as_json: JsonOption = False) -> None:
    """Stop both; their data stays."""
    stopped = _carry_out(stack.stop(environment().stack_directory))
    print(json.dumps({"stopped": stopped}) if as_json else "stopped" if stopped else "nothing was running")


@contextmanager
def fetching() -> Any:
    """A progress bar for the first start, which fetches Kafka; nothing where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("jars"))
    with Progress(*columns, console=_stderr, transient=True, disable=not _stderr.is_terminal) as bar:
        task = bar.add_task("fetching Kafka (first start only)", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


def refuse(reason: stack.Unavailable) -> NoReturn:
    """Say the sentence and exit 2."""
    typer.echo(str(reason), err=True)
    raise typer.Exit(2)


def _carry_out(work: Coroutine[Any, Any, Result]) -> Result:
    try:
        return asyncio.run(work)
    except stack.Unavailable as reason:
        refuse(reason)

"""`wootstream stores set`."""

import asyncio
from typing import Annotated

import typer

from services.control.stores import attach
from services.kernel import Refusal, Settings
from services.kernel.cli.environment import database, installed
from services.kernel.cli.terminal import Json, print_json
from services.kernel.secrets import load_secrets

_VALUES = {"true": True, "false": False}
_NAMES = ("seal",)


def set_(
    slug: Annotated[str, typer.Argument(help="the store's short name")],
    name: Annotated[str, typer.Argument(help=f"one of {', '.join(_NAMES)}")],
    value: Annotated[str, typer.Argument(help="true or false")],
    as_json: Json = False,
) -> None:
    """Change one thing of a store. seal: encrypt its records in the topics with keys of their people's own.

    The doors follow within ten seconds; what was taken before stays as it was taken, and both are read side by side.
    """
    if name not in _NAMES or value not in _VALUES:
        raise Refusal(f"say one of {', '.join(_NAMES)}, and true or false")
    outcome = asyncio.run(_set(installed(kafka=False), slug, seal=_VALUES[value]))
    if as_json:
        print_json({"store": slug, name: _VALUES[value], "outcome": outcome})
    else:
        print(f"{slug}: {name} is {value}" + (" already" if outcome == "unchanged" else ""))


async def _set(settings: Settings, slug: str, *, seal: bool) -> str:
    async with database(settings) as pool:
        return (await attach.set_seal(pool, load_secrets(settings), slug, seal=seal)).outcome

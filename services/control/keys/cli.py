"""`wootstream keys`: which there are and what each sealed, a new one, everything sealed with it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from db.pool import PRIVACY
from services.control.keys import ring
from services.control.keys.reseal import SealedFiles, Tell, by_key, people_need_keys
from services.control.keys.reseal import reseal as reseal_all
from services.kernel.cli.environment import database, environment, installed
from services.kernel.cli.terminal import Json, print_json, progress, show
from services.kernel.secrets import Secrets, key_file, load_secrets
from services.kernel.settings import Settings

Held = Mapping[str, Counter[str]]
Places = Callable[[Settings], Sequence[SealedFiles]]
_VARIABLE = "WOOTSTREAM_INSTALLATION_KEY"


def add_to(root: typer.Typer, places: Places) -> None:
    """`wootstream keys …`; `places` are what services keep sealed on disk."""
    keys = typer.Typer(no_args_is_help=True, help="The installation's keys, which seal secrets and spools.")

    @keys.command(name="list")
    def list_(as_json: Json = False) -> None:
        """Each key by its id: whether it seals, and how much of what is at hand it sealed."""
        settings = installed(kafka=False)
        held, by_people = asyncio.run(_held(settings, places))
        _tell(settings, load_secrets(settings), held, by_people=by_people, as_json=as_json)

    @keys.command()
    def add(as_json: Json = False) -> None:
        """Make a key that opens and does not seal yet; `keys rotate ID` lets it seal.

        Restart every process in between, so that each knows it: a page's token that one ingress makes is shown to all.
        """
        settings = environment()
        added, text = ring.add(settings)
        where = key_file(settings) or _VARIABLE
        if as_json:
            print_json({"key": added, "file": None if text else str(where), "text": text})
            return
        where_to = f"put {text} behind the others in {where} (told this once)" if text else f"in {where}"
        print(f"key {added}: {where_to}")
        print(f"restart every process, then: wootstream keys rotate {added}")

    @keys.command()
    def rotate(
        key: Annotated[
            str | None, typer.Argument(metavar="ID", help="this key seals from now on; default: the first")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Seal everything anew with one key, in batches; cut short, say it again. Exit 1 while others are needed."""
        settings = installed(kafka=False)
        if key:
            ring.put_first(settings, key)
        secrets = load_secrets(settings)
        held, by_people = asyncio.run(_reseal(settings, secrets, places))
        _tell(settings, secrets, held, by_people=by_people, as_json=as_json)
        raise typer.Exit(0 if not _needed(held) - {secrets.key_id} else 1)

    root.add_typer(keys, name="keys")


async def _held(settings: Settings, places: Places) -> tuple[Held, bool]:
    """What each key sealed; whether people may need one that sealed nothing here."""
    async with database(settings) as pool:
        return await by_key(pool, places(settings)), await people_need_keys(pool)


async def _reseal(settings: Settings, secrets: Secrets, places: Places) -> tuple[Held, bool]:
    def tell(place: str) -> Tell:
        return lambda done, total: move(done, total)

    with progress("sealing anew") as move:
        async with database(settings) as pool, database(settings, role=PRIVACY) as privacy:
            await reseal_all(pool, privacy, secrets, places(settings), tell)
    return await _held(settings, places)


def _needed(held: Held) -> set[str]:
    return {key for counts in held.values() for key in counts}


def _tell(settings: Settings, secrets: Secrets, held: Held, *, by_people: bool, as_json: bool) -> None:
    known = secrets.key_ids
    ids = [*known, *sorted(_needed(held) - set(known))]
    sentences = {one: _sentence(one, known, held, by_people=by_people) for one in ids}
    if as_json:
        print_json([
            {"key": one, "here": one in known, "seals": one == secrets.key_id, "state": sentences[one]}
            | {place: counts[one] for place, counts in held.items()}
            for one in ids
        ])  # fmt: skip
        return
    where = key_file(settings) or _VARIABLE
    show(("key", *held, "state"), [(one, *(counts[one] for counts in held.values()), sentences[one]) for one in ids],
         footer=f"The keys are in {where}. Spools and copies of other machines are counted there alone.")  # fmt: skip


def _sentence(key: str, known: Sequence[str], held: Held, *, by_people: bool) -> str:
    """`by_people`: keyed hashes are kept, and nothing tells of which key."""
    if key not in known:
        return "is not here: what it sealed cannot be opened"
    if key == known[0]:
        return "seals"
    if key in _needed(held):
        return "opens; needed: `keys rotate`, and restart what still seals with it"
    if by_people:
        return "opens; seals nothing here, but hashes of people may need it: keep it, see docs/privacy.md"
    return "opens; nothing here is sealed with it: it may be dropped"

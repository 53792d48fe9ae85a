"""`stores plan | apply | check | discover | provision | token | show | suspend | resume`."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
import yaml
from pydantic import SecretStr, ValidationError

from schemas.provisioning import CreateAccountRequest, GenerateTokenRequest
from schemas.stores_file import StoreEntry
from services.control.stores import suspension
from services.control.stores.agent_tokens import generated
from services.control.stores.declared import secrets_of_file
from services.control.stores.declared.apply import AppliedPlan, Planned
from services.control.stores.declared.difference import AccountChange
from services.control.stores.declared.discover import discovered
from services.control.stores.declared.stores_file_reader import WantedStore
from services.control.stores.live import Heard
from services.control.stores.live import live as try_live
from services.control.stores.site import ChatwootSite, Failed, opened
from services.kernel import Refusal
from services.kernel.cli.environment import installed
from services.kernel.cli.terminal import Json, print_json, progress
from services.kernel.cli.terminal import show as show_table
from services.kernel.errors import describe
from services.kernel.printable import printable_lines

T = TypeVar("T")
_INTERRUPTED = 130
File = Annotated[
    Path, typer.Argument(help="the file of all stores; its schema: schemas/published/stores-file.schema.json")
]
Only = Annotated[list[str] | None, typer.Option("--store", help="only this store; again for more")]
Exit = Annotated[bool, typer.Option("--detailed-exitcode", help="exit 2 where something would change")]
KeyLost = Annotated[
    bool,
    typer.Option(
        "--key-lost", help="give up what an installation key sealed that is lost for good: all secrets are set anew"
    ),
]
Live = Annotated[bool, typer.Option("--live", help="wait for a real webhook of each store")]
Slug = Annotated[str, typer.Argument(help="the store's short name")]
_FILE = Path("stores.yaml")


def add_to(stores: typer.Typer) -> None:
    for verb in (plan, apply, check, discover, provision, token, show, suspend, resume):
        stores.command()(verb)


def plan(
    file: File = _FILE, only: Only = None, detailed: Exit = False, key_lost: KeyLost = False, as_json: Json = False
) -> None:
    """Print what `apply` would change, and change nothing; exit 1 where a store's account cannot be read."""
    answers = _planned(file, only or (), key_lost=key_lost)
    _tell_plan(answers, as_json=as_json)
    failed = any(isinstance(one, Failed) for one in answers)
    changes = any(one.changes for one in answers if isinstance(one, Planned))
    raise typer.Exit(1 if failed else 2 if detailed and changes else 0)


def check(file: File = _FILE, only: Only = None, live: Live = False, as_json: Json = False) -> None:
    """Say of each store what differs from the file; exit 1 if anything does.

    With --live a contact of ours is made, edited and deleted in each store, and Chatwoot's webhook about it waited for.
    """
    if live:
        _check_live(secrets_of_file.chosen(file, only or ()), as_json=as_json)
    answers = _planned(file, only or ())
    _tell_plan(answers, as_json=as_json)
    raise typer.Exit(1 if any(isinstance(one, Failed) or one.changes for one in answers) else 0)


def _check_live(stores: list[WantedStore], *, as_json: bool) -> NoReturn:
    with progress("waiting for webhooks"):
        answers = _in_site(lambda site: try_live(site, stores), kafka=True)
    if as_json:
        print_json([asdict(one) for one in answers])
    else:
        show_table(("store", "seconds", ""), [_heard(one) for one in answers])
    raise typer.Exit(0 if all(isinstance(one, Heard) and one.seconds is not None for one in answers) else 1)


def _heard(one: Heard | Failed) -> tuple[str, str, str]:
    if isinstance(one, Failed):
        return one.slug, "", one.reason
    if one.seconds is None:
        return one.slug, "", "its webhook did not come: see `wootstream tail --refused`, and Chatwoot's Sidekiq"
    return one.slug, f"{one.seconds:.2f}", "its webhook came"


def apply(file: File = _FILE, only: Only = None, key_lost: KeyLost = False, as_json: Json = False) -> None:
    """Make it so: what is absent is made, what is ours is mended, nothing else is touched.

    Ctrl-C, or worse, and the same again goes on. Secrets made for shops are shown once, as each store is ready.
    """
    stores = secrets_of_file.chosen(file, only or ())
    _applied([replace(one, key_lost=key_lost) for one in stores], as_json=as_json)


def provision(
    slug: Annotated[str, typer.Argument(help="the new account's name, and the store's short name")],
    base_url: Annotated[str, typer.Option(help="a Chatwoot of one's own, like https://chatwoot.example")],
    email: Annotated[str, typer.Option(help="the store's address")],
    platform_token: Annotated[
        str, typer.Option(envvar="WOOTSTREAM_PLATFORM_TOKEN", help="of a platform app; a secret")
    ],
    domain: Annotated[str, typer.Option(help="the storefront's")],
    locale: Annotated[str | None, typer.Option(help="language of the store")] = None,
    support_email: Annotated[str | None, typer.Option(help="default: the store's address")] = None,
    timezone: Annotated[str | None, typer.Option(help="zone of its days")] = None,
    as_json: Json = False,
) -> None:
    """Make one store with an account of its own; the same again goes on where it was interrupted."""
    try:
        request = CreateAccountRequest(
            account_name=slug, email=email, locale=locale, domain=domain, support_email=support_email, timezone=timezone
        )
        server = WantedStore(slug, StoreEntry(domain=domain), base_url.rstrip("/"), SecretStr(platform_token))
    except ValidationError as error:
        raise Refusal(f"store {slug} cannot be made: {describe(error)}") from error
    _applied([secrets_of_file.as_wanted(request, server)], as_json=as_json)


def discover(
    base_url: Annotated[str, typer.Option(help="its Chatwoot, like https://app.chatwoot.com")],
    token: Annotated[str, typer.Option(envvar="WOOTSTREAM_STORE_API_TOKEN", help="of an administrator; a secret")],
    reference: Annotated[str, typer.Option(help="how the file shall name it")] = "env:WOOTSTREAM_STORE_API_TOKEN",
    as_json: Json = False,
) -> None:
    """Print the accounts of an administrator's token as a file of stores, to be edited."""

    async def work(site: ChatwootSite) -> dict[str, Any]:
        return await discovered(site, base_url.rstrip("/"), SecretStr(token), reference)

    found = _in_site(work)
    if as_json:
        print_json(found)
    else:
        sys.stdout.write(yaml.safe_dump(found, sort_keys=False, allow_unicode=False))


def token(
    account_id: Annotated[int, typer.Argument(help="the account of a store")],
    base_url: Annotated[str, typer.Option(help="its Chatwoot")],
    agent_email: Annotated[str, typer.Option(help="whose token; made where nobody has the address")],
    platform_token: Annotated[str, typer.Option(envvar="WOOTSTREAM_PLATFORM_TOKEN", help="a secret")],
    role: Annotated[str, typer.Option(help="agent or administrator")] = "agent",
) -> None:
    """Print a token for somebody who acts in a store's account, as JSON; it is told to whoever asks for it again."""
    given = {"account_id": account_id, "agent_email": agent_email, "role": role}
    try:
        request = GenerateTokenRequest.model_validate(given)
    except ValidationError as error:
        raise Refusal(f"no token can be made: {describe(error)}") from error
    secret = SecretStr(platform_token)
    answer = _in_site(lambda site: generated(site, base_url.rstrip("/"), secret, request))
    print_json(answer.model_dump() | {"access_token": answer.access_token.get_secret_value()})


def show(slug: Slug, as_json: Json = False) -> None:
    """All that is known of a store, without its secrets."""
    found = _in_site(lambda site: suspension.shown(site, slug))
    if as_json:
        print_json(found)
        return
    steps = found.pop("steps")
    rows = {name: " ".join(value) if isinstance(value, list) else value for name, value in found.items()}
    print(printable_lines("\n".join(f"{name:<22}{value}" for name, value in rows.items() if value is not None)))
    for one in steps:
        print(
            f"  step {one['step']:<12}{'done ' + one['done_at'].isoformat() if one['done_at'] else 'begun, not done'}"
        )


def suspend(slug: Slug, as_json: Json = False) -> None:
    """Let the doors refuse what comes for the store, and push nothing, until `resume`. What is refused is lost."""
    _set_status(slug, "suspended", as_json=as_json)


def resume(slug: Slug, as_json: Json = False) -> None:
    """Let a suspended store work again."""
    _set_status(slug, "active", as_json=as_json)


def _set_status(slug: str, status: str, *, as_json: bool) -> None:
    changed = _in_site(lambda site: suspension.set_status(site, slug, status))
    if as_json:
        print_json({"slug": slug, "status": status, "changed": changed})
    else:
        print(f"store {slug} is {status}{'' if changed else ' already'}")


def _in_site(work: Callable[[ChatwootSite], Coroutine[Any, Any, T]], *, kafka: bool = False) -> T:
    async def run() -> T:
        async with opened(installed(kafka=kafka)) as site:
            return await work(site)

    return asyncio.run(run())


def _planned(file: Path, only: Sequence[str], *, key_lost: bool = False) -> list[Planned | Failed]:
    stores = [replace(one, key_lost=key_lost) for one in secrets_of_file.chosen(file, only)]
    with progress("looking") as step:
        return _in_site(lambda site: secrets_of_file.planned(site, stores, step))


def _tell_plan(answers: Sequence[Planned | Failed], *, as_json: bool) -> None:
    if as_json:
        print_json([_as_json(one) for one in answers])
        return
    for one in answers:
        _tell(one.slug, one.reason if isinstance(one, Failed) else one.changes)
    _tell_sum([one for one in answers if isinstance(one, Planned)], len(answers), "to make")


def _applied(stores: list[WantedStore], *, as_json: bool) -> None:
    ready: list[AppliedPlan] = []
    try:
        with progress("applying") as step:
            answers = _in_site(lambda site: secrets_of_file.applied(site, stores, step, ready.append))
    except KeyboardInterrupt:
        _tell_applied(ready, as_json=as_json)
        print(f"interrupted: {len(ready)} of {len(stores)} are ready; the same again goes on", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None
    _tell_applied(answers, as_json=as_json)
    raise typer.Exit(1 if any(isinstance(one, Failed) for one in answers) else 0)


def _tell_applied(answers: Sequence[AppliedPlan | Failed], *, as_json: bool) -> None:
    if as_json:
        print_json([_as_json(one) for one in answers])
        return
    for one in answers:
        _tell(one.slug, one.reason if isinstance(one, Failed) else one.changes)
        for name, secret in _made(one).items():
            print(f"      {name}: {secret} (told this once)")
        if isinstance(one, AppliedPlan) and one.added.to_do:
            print(f"      to do: {one.added.to_do}")
    _tell_sum([one for one in answers if isinstance(one, AppliedPlan)], len(answers), "made")


def _made(one: AppliedPlan | Failed) -> dict[str, str]:
    if isinstance(one, Failed):
        return {}
    secrets = {"event secret": one.added.made_event_secret, "vouching secret": one.added.made_vouching_secret}
    return {name: secret for name, secret in secrets.items() if secret}


def _as_json(one: Planned | AppliedPlan | Failed) -> dict[str, Any]:
    if isinstance(one, Failed):
        return {"slug": one.slug, "error": one.reason}
    answer: dict[str, Any] = {"slug": one.slug, "changes": [change.as_json() for change in one.changes]}
    if isinstance(one, AppliedPlan):
        answer |= {"organization_id": one.organization_id, "event_secret": one.added.made_event_secret,
                   "vouching_secret": one.added.made_vouching_secret, "to_do": one.added.to_do}  # fmt: skip
    return answer


def _tell(slug: str, found: str | Sequence[AccountChange]) -> None:
    if not found:
        return
    lines = [f"! {found}"] if isinstance(found, str) else [_line(one) for one in found]
    print(printable_lines("\n".join([f"store {slug}", *(f"  {line}" for line in lines)])))


def _line(change: AccountChange) -> str:
    if change.sign == "~":
        return f"~ {change.what}: {change.before or '(nothing)'} → {change.after or '(nothing)'}"
    return f"{change.sign} {change.what}" + (f": {change.after}" if change.after else "")


def _tell_sum(answers: Sequence[Planned | AppliedPlan], stores: int, done: str) -> None:
    every = [change.sign for one in answers for change in one.changes]
    failed = stores - len(answers)
    counts = f"{every.count('+')} {done}, {every.count('~')} to change, {every.count('-')} to remove"
    if done == "made":
        counts = f"{every.count('+')} made, {every.count('~')} changed, {every.count('-')} removed"
    sentence = counts if every else "nothing to change" if not failed else "nothing changed"
    print(f"{stores} store{'' if stores == 1 else 's'}: {sentence}" + (f", {failed} failed" if failed else ""))

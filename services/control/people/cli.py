"""`wootstream people`: members of the stores, and the tokens with which they ask the HTTP API."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, TypeVar, cast, get_args
from uuid import UUID

import typer

from db.pool import Pool
from services.control.people import membership
from services.control.people.membership import Role
from services.kernel.cli.environment import database, installed
from services.kernel.cli.terminal import Json, print_json, show
from services.kernel.clock import Clock
from services.kernel.errors import Refusal
from services.kernel.person_tokens import SCOPES

app = typer.Typer(no_args_is_help=True, help="People of the stores, their roles and their tokens.")
token = typer.Typer(no_args_is_help=True, help="Tokens that stand for a person at the HTTP API.")
app.add_typer(token, name="token")

StoreOption = Annotated[str, typer.Argument(help="the store's short name")]
Email = Annotated[str, typer.Argument(help="the person's e-mail address")]
_ADDRESS = re.compile(r"[^@\s\x00]{1,200}@[^@\s\x00]{1,200}")
_DAYS = 90
_MOST_DAYS = 366
T = TypeVar("T")


@app.command()
def add(
    store: StoreOption,
    email: Email,
    role: Annotated[str, typer.Option(help=f"one of {', '.join(get_args(Role))}")],
    as_json: Json = False,
) -> None:
    """Make somebody a member of a store, or change their role."""
    if role not in get_args(Role):
        raise Refusal(f"there is no role {role}; there are: {', '.join(get_args(Role))}")
    if not _ADDRESS.fullmatch(email):
        raise Refusal(f"{email!r} is no e-mail address")
    changed = _with(lambda pool: membership.add(pool, store, email, cast("Role", role)))
    _say({"store": store, "email": email, "role": role, "changed": changed},
         f"{email} is {role} of {store}" + ("" if changed else ", as before"), as_json=as_json)  # fmt: skip


@app.command()
def remove(store: StoreOption, email: Email, as_json: Json = False) -> None:
    """Take somebody out of a store; who is a member of no other one is forgotten, with their tokens."""
    done = _with(lambda pool: membership.remove(pool, store, email))
    if done is None:
        raise Refusal(f"nobody here has the e-mail address {email}")
    stays = _what_stays(done)
    _say({"store": store, "email": email, "changed": done.changed, "forgotten": done.forgotten, "stays": stays or None},
         f"{email} is no member of {store}" + (" any more" if done.changed else ", as before")
         + (f"; {stays}" if stays else "; their address and tokens are gone"), as_json=as_json)  # fmt: skip


def _what_stays(done: membership.Removed) -> str:
    if done.forgotten:
        return ""
    if done.other_stores:
        return f"their address and tokens stay, for {done.other_stores} other stores"
    return (
        "their address stays in auth.users, which is the host's or named by a store's own rows: remove it there (on "
        "Supabase: Authentication, Users), which takes their tokens along; `people token revoke` ends one at once"
    )


@app.command(name="list")
def list_(
    store: Annotated[str | None, typer.Option(help="only this store's; default: every store's")] = None,
    as_json: Json = False,
) -> None:
    """Who is what in which store."""
    rows = _with(lambda pool: membership.listed(pool, store))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    show(("store", "role", "e-mail"), [(row.store, row.role, row.email) for row in rows],
         footer="" if rows else "nobody yet: add one with `wootstream people add`")  # fmt: skip


@token.command(name="add")
def add_token(
    email: Email,
    name: Annotated[str, typer.Option(help="what it is for, so that it can be told apart")],
    scope: Annotated[list[str] | None, typer.Option(help=f"of {', '.join(SCOPES)}; again; default: read")] = None,
    days: Annotated[int, typer.Option(min=1, max=_MOST_DAYS, help="how long it is good")] = _DAYS,
    as_json: Json = False,
) -> None:
    """Make a token, told this once, for the stores where they have a role.

    `read`: stores, figures, how long what is kept; `personal`: what somebody agreed to; `change`: write that down.
    All else is the operator's.
    """
    if unknown := set(scope or ()) - set(SCOPES):
        raise Refusal(f"there is no scope {', '.join(sorted(unknown))}; there are: {', '.join(SCOPES)}")
    until = Clock().now() + timedelta(days=days)
    made, text = _with(lambda pool: membership.add_token(pool, email, name, scopes=scope or ["read"], expires_at=until))
    _say({"id": made, "token": text, "expires_at": until},
         f"token {made} of {email}, good until {until:%F}: {text} (told this once)", as_json=as_json)  # fmt: skip


@token.command(name="list")
def list_tokens(as_json: Json = False) -> None:
    """Every token, whose it is, what it may do, and when it was last used; never the token itself."""
    rows = _with(membership.tokens)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    show(("token", "e-mail", "name", "scopes", "good until", "last used", "revoked"),
         [(row.id, row.email, row.name, " ".join(row.scopes), f"{row.expires_at:%F}", row.last_used_at, row.revoked_at)
          for row in rows], footer="" if rows else "none yet: make one with `wootstream people token add`")  # fmt: skip


@token.command()
def revoke(
    token: Annotated[UUID, typer.Argument(help="its id, as `people token list` shows it")], as_json: Json = False
) -> None:
    """Make it good for nothing, at once."""
    changed = _with(lambda pool: membership.revoke_token(pool, token))
    if not changed:
        raise Refusal(f"there is no token {token} that is good")
    _say({"id": token, "revoked": True}, f"token {token} is revoked", as_json=as_json)


def _with(work: Callable[[Pool], Awaitable[T]]) -> T:
    async def done() -> T:
        async with database(installed(kafka=False)) as pool:
            return await work(pool)

    return asyncio.run(done())


def _say(answer: dict[str, object], sentence: str, *, as_json: bool) -> None:
    print_json(answer) if as_json else print(sentence)

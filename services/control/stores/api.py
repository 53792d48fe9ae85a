"""The verbs of `wootstream stores` over HTTP: attach, provision, a token, suspend, resume, remove, rotate.

`plan` and `apply` are not here: the secrets of their file are references to the operator's own machine.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from db import stores
from db.pool import PEOPLE, scoped_as_person
from schemas.provisioning import CreateAccountOnServer, GenerateTokenOnServer
from schemas.stores import StoreOptions
from schemas.stores_file import StoreEntry
from services.control.stores import attach, rotate, suspension
from services.control.stores.agent_tokens import generated
from services.control.stores.declared import secrets_of_file
from services.control.stores.declared.stores_file_reader import WantedStore
from services.control.stores.site import Failed, opened
from services.kernel import Process, Refusal
from services.kernel.actor import acting
from services.kernel.web.operations import Operation, body_as

# A caller over HTTP says it again, as the answer tells; at the command line people wait for minutes.
_VERIFIED_SECONDS = 10.0


class StoreRemoval(BaseModel):
    """How a store shall go."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keep_webhook: bool = False  # leave our webhook in Chatwoot


class SecretRotation(BaseModel):
    """Which of a store's secrets is replaced."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    what: rotate.What
    now: bool = False  # it leaked: the old one is refused within 10 s


async def _stores(process: Process, _request: Request) -> Any:
    if (person := acting().person) is None:
        return await attach.listed(process.settings)
    async with scoped_as_person(process.pool(PEOPLE), person) as conn:
        return await stores.listed_to_people(conn)


async def _store(process: Process, request: Request) -> Any:
    slug = _slug(request)
    found = [row for row in await _stores(process, request) if row["slug"] == slug]
    if not found:
        raise Refusal(f"there is no store {slug[:63]!r}")
    return found[0]


async def _add(process: Process, request: Request) -> Any:
    store = await body_as(request, StoreOptions)
    return (await attach.add(process.settings, store)).as_json(process.settings.public_url)


async def _provision(process: Process, request: Request) -> Any:
    asked = await body_as(request, CreateAccountOnServer)
    server = WantedStore(asked.account_name, StoreEntry(domain=asked.domain), asked.base_url, asked.platform_token)
    wanted = secrets_of_file.as_wanted(asked, server)
    async with opened(process.settings) as site:
        (done,) = await secrets_of_file.applied(site, [wanted], lambda _done, _of: None)
    if isinstance(done, Failed):
        raise Refusal(f"store {done.slug} cannot be made: {done.reason}")
    return done.added.as_json(process.settings.public_url) | {"changes": [one.as_json() for one in done.changes]}


async def _token(process: Process, request: Request) -> Any:
    asked = await body_as(request, GenerateTokenOnServer)
    async with opened(process.settings) as site:
        answer = await generated(site, asked.base_url, asked.platform_token, asked)
    return answer.model_dump() | {"access_token": answer.access_token.get_secret_value()}


async def _suspend(process: Process, request: Request) -> Any:
    return await _set_status(process, _slug(request), "suspended")


async def _resume(process: Process, request: Request) -> Any:
    return await _set_status(process, _slug(request), "active")


async def _set_status(process: Process, slug: str, status: str) -> Any:
    async with opened(process.settings) as site:
        return {"slug": slug, "status": status, "changed": await suspension.set_status(site, slug, status)}


async def _remove(process: Process, request: Request) -> Any:
    asked = await body_as(request, StoreRemoval)
    async with opened(process.settings) as site:
        removed = await suspension.remove(site, _slug(request), keep_webhook=asked.keep_webhook)
    return {"slug": _slug(request), "webhooks_removed": len(removed)}


async def _rotate(process: Process, request: Request) -> Any:
    asked = await body_as(request, SecretRotation)
    async with opened(process.settings) as site, site.alone():
        rotation = rotate.Rotation(
            site.pool, site.vault, site.chatwoot, site.clock, process.settings.public_url, _slug(request), asked.now,
            verified_seconds=_VERIFIED_SECONDS,
        )  # fmt: skip
        return asdict(await rotation.rotate(asked.what))


def _slug(request: Request) -> str:
    return str(request.path_params["store"])


OPERATIONS: Sequence[tuple[Operation, Callable[[Process, Request], Awaitable[Any]]]] = (
    (Operation("GET", "/api/stores", "every store, without its secrets", people="read"), _stores),
    (Operation("POST", "/api/stores", "attach an account, or change what the body names; secrets that are made are "
               "told this once", body=StoreOptions), _add),
    (Operation("POST", "/api/stores/provision", "make one with an account of its own; the same again goes on",
               body=CreateAccountOnServer), _provision),
    (Operation("POST", "/api/stores/token", "a token for somebody who acts in a store's account",
               body=GenerateTokenOnServer), _token),
    (Operation("GET", "/api/stores/{store}", "one of them", people="read"), _store),
    (Operation("POST", "/api/stores/{store}/suspend", "let the doors refuse what comes for it; that is lost"),
     _suspend),
    (Operation("POST", "/api/stores/{store}/resume", "let it work again"), _resume),
    (Operation("POST", "/api/stores/{store}/remove", "our webhook and its secrets go, its figures stay",
               body=StoreRemoval), _remove),
    (Operation("POST", "/api/stores/{store}/rotate", "replace a secret while it works; not finished: the same again "
               "goes on", body=SecretRotation), _rotate),
)  # fmt: skip

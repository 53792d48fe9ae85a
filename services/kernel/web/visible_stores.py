"""Which stores somebody who asks may be answered about."""

from collections.abc import Collection
from uuid import UUID

from starlette.requests import Request

from db import members
from db.pool import PEOPLE, scoped_as_person
from services.kernel.actor import acting
from services.kernel.cli.environment import stores_named
from services.kernel.errors import Refusal
from services.kernel.person_tokens import MANAGERS
from services.kernel.process import Process


async def visible_stores(process: Process, store: str | None, roles: Collection[str]) -> dict[str, UUID]:
    """Short name → id: the store named, or every store; for a person those where they have one of these roles.

    Which those are the database says, asked as the person. Whatever is read then is in the scope of these stores alone.
    Raises Refusal, which names to a person no store that is not theirs.
    """
    person = acting().person
    if person is None:
        return await stores_named(process.pool(), store)
    async with scoped_as_person(process.pool(PEOPLE), person) as conn:
        mine = await members.stores_of_mine(conn, roles)
    theirs = {slug: one for slug, one in (await stores_named(process.pool(), None)).items() if one in mine}
    if store is None:
        return theirs
    if store not in theirs:
        raise Refusal(f"there is no store {store!r} for you; there are: {', '.join(theirs) or 'none'}")
    return {store: theirs[store]}


async def managed_store(process: Process, request: Request) -> UUID:
    """The store in the request's path. Raises Refusal, also where a person does not manage it."""
    slug = request.path_params["store"]
    return (await visible_stores(process, slug, MANAGERS))[slug]

"""`plan`, `apply` and `check` of a file, and `provision` of a single store: each store by itself, several at once."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from schemas.provisioning import CreateAccountRequest
from schemas.stores_file import StoreEntry
from services.control.stores.declared.apply import AppliedPlan, Planned, apply, plan
from services.control.stores.declared.stores_file_reader import WantedStore, read
from services.control.stores.site import ChatwootSite, Failed, each
from services.kernel import Refusal

FileStep = Callable[[int, int], None]
_OF_THE_REQUEST = {*CreateAccountRequest.model_fields}


def chosen(path: Path, only: Sequence[str]) -> list[WantedStore]:
    """The file's stores, or those named. Raises Refusal."""
    stores = read(path)
    if unknown := {*only} - {one.slug for one in stores}:
        raise Refusal(f"{path} has no store {', '.join(sorted(unknown))}")
    return [one for one in stores if not only or one.slug in only]


async def planned(site: ChatwootSite, stores: Sequence[WantedStore], step: FileStep) -> list[Planned | Failed]:
    """What `apply` would change; nothing is changed."""
    return await each(site, stores, partial(plan, site), _slug, step)


async def applied(
    site: ChatwootSite,
    stores: Sequence[WantedStore],
    step: FileStep,
    heard: Callable[[AppliedPlan], None] = lambda done: None,
) -> list[AppliedPlan | Failed]:
    """Make it so. `heard` is told of each store at once: what was made shall be shown if the rest is interrupted."""
    async with site.alone() as ours:

        async def one(store: WantedStore) -> AppliedPlan:
            if not await ours():
                raise Refusal("the lock that keeps two of these apart was lost: say the same again")
            done = await apply(site, store)
            heard(done)
            return done

        return await each(site, stores, one, _slug, step)


def as_wanted(request: CreateAccountRequest, server: WantedStore) -> WantedStore:
    """The specification's request as an entry of the file; `server` brings where, and with which token."""
    entry = StoreEntry.model_validate(request.model_dump(include=_OF_THE_REQUEST, exclude_none=True))
    merged = server.entry.model_copy(update={name: getattr(entry, name) for name in entry.model_fields_set})
    return WantedStore(request.account_name, merged, server.base_url, server.platform_token)


def _slug(store: WantedStore) -> str:
    return store.slug

"""Plan and apply: what a store lacks is made, step by step, each begun in the table before its call.

Every call comes after a look, so that whoever is interrupted, wherever, says the same again and nothing is there twice.
The order loses nothing: a webhook is made deaf, then the doors learn its secret, then it hears.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from uuid import UUID

from pydantic import SecretStr, ValidationError

from db.pool import Row, scoped
from schemas.stores import StoreOptions
from services.control.keys.another import refuse_another_key
from services.control.stores import access, attach, row
from services.control.stores.access import Access
from services.control.stores.attach import Added
from services.control.stores.calls import PLATFORM, Api, RefusedCall
from services.control.stores.declared.difference import (
    AccountChange,
    Call,
    Doors,
    current_webhook,
    differences,
    storefronts,
    widget_inbox,
)
from services.control.stores.declared.observed import Observed, observe, with_staff
from services.control.stores.declared.staff import staff_differences
from services.control.stores.declared.stores_file_reader import WantedStore
from services.control.stores.site import ChatwootSite
from services.kernel import Refusal, Retryable, Sealed
from services.kernel.actor import note
from services.kernel.errors import describe

_ROUNDS = 4  # made, seen, mended; more means that somebody else makes changes
_NEW = "(new)"
_PLATFORM_STEPS = (("user", "technical user"), ("account", "account"), ("member", "administrator of the account"))
# Of the account's row, what the account in Chatwoot has as well.
_OF_THE_ACCOUNT = {"account_name": "name", "locale": "locale", "support_email": "support_email"}
_SECRETS = ("api_access_token", "webhook_secret", "event_secret", "vouching_secret", "identity_key", "shopify_secret")
# What stands in the file as it stands in the row, or nearly so.
_AS_DECLARED = (
    "push", "locale", "timezone", "currency", "create_contacts", "seal", "allowed_attributes", "tiers",
    "formats", "agents_may_change", "shopify_domain", "erase_when_redacted",
)  # fmt: skip
_UNSEEN = (
    "tiers_after",
    "path_token_sha256",
    "webhook_secret_previous",
    "event_secret_previous",
    "vouching_secret_previous",
    "shopify_secret_previous",
)


@dataclass(frozen=True, slots=True)
class Planned:
    """What `apply` would change of one store."""

    slug: str
    changes: Sequence[AccountChange]


@dataclass(frozen=True, slots=True)
class AppliedPlan:
    """What it changed; `added` tells secrets that were made, once."""

    slug: str
    organization_id: UUID
    changes: Sequence[AccountChange]
    added: Added


@dataclass(frozen=True, slots=True)
class Ground:
    """What we know of a store before Chatwoot is asked."""

    wanted: WantedStore
    organization: UUID
    row: Row | None
    steps: Mapping[str, Row]

    @property
    def inbox_is_ours(self) -> bool:
        return self.wanted.is_made or "inbox" in self.steps


async def plan(site: ChatwootSite, wanted: WantedStore) -> Planned:
    """The changes; nothing is changed. Raises Refusal, Retryable."""
    ground = await _ground(site, wanted)
    found = await _known_access(site, ground) or await access.known(site, wanted, ground.organization)
    if found is None:
        made = [AccountChange("+", step, what) for step, what in _PLATFORM_STEPS]  # type: ignore[arg-type]
        doors = await _doors(site, ground)
        changes = _all_differences(wanted, Observed(), _NEW, doors, ours=True)
        return Planned(
            wanted.slug, [*made, *_store_last(changes, [AccountChange("+", "store", f"store {wanted.slug}")])]
        )
    doors = await _doors(site, ground, found)
    observed = await _observed(site.api(wanted.base_url, found.token), wanted, found.account_id)
    changes = _all_differences(wanted, observed, found.account_id, doors, ours=ground.inbox_is_ours)
    return Planned(wanted.slug, _store_last(changes, _row_changes(site, ground, found, observed, doors)))


async def apply(site: ChatwootSite, wanted: WantedStore) -> AppliedPlan:
    """Make the changes, and say which. Raises Refusal, Retryable."""
    ground = await _ground(site, wanted)
    if wanted.is_made and await _known_access(site, ground) is None:
        changes = [AccountChange("+", step, what) for step, what in _PLATFORM_STEPS if step not in ground.steps]  # type: ignore[arg-type]
        found = await access.ensured(site, wanted, ground.organization)
        return await _settled(site, ground, found, changes)
    found = await _access(site, ground)
    try:
        return await _settled(site, ground, found, [])
    except RefusedCall as refused:
        if refused.status != 401 or not wanted.is_made:
            raise
        # Its token was changed, or its membership ended: the Platform API mends both.
        found = await access.ensured(site, wanted, ground.organization)
        return await _settled(site, ground, found, [])


async def _observed(api: Api, wanted: WantedStore, account_id: int) -> Observed:
    observed = await observe(api, account_id)
    agents, bot = bool(wanted.entry.agents), wanted.entry.bot is not None
    if not (agents or bot):
        return observed
    return await with_staff(api, account_id, observed, widget_inbox(wanted, observed), agents=agents, bot=bot)


def _all_differences(
    wanted: WantedStore, observed: Observed, account: int | str, doors: Doors, *, ours: bool
) -> list[AccountChange]:
    found = differences(wanted, observed, account, doors, ours=ours)
    return [*found, *staff_differences(wanted, observed, account)]


async def entered(site: ChatwootSite, wanted: WantedStore) -> tuple[UUID, Access]:
    """The store's id, and its account where it is attached. Raises Refusal where it is not."""
    ground = await _ground(site, wanted)
    if ground.row is None:
        raise Refusal("is not attached yet: run `wootstream stores apply`")
    return ground.organization, await _access(site, ground)


async def _ground(site: ChatwootSite, wanted: WantedStore) -> Ground:
    if not wanted.key_lost:
        await refuse_another_key(site.pool, site.vault, wanted.slug)
    organization = await attach.organization_of(site.pool, wanted.slug, wanted.entry.organization_id)
    before = await site.account(organization)
    if before and wanted.entry.account_id not in (None, before["chatwoot_account_id"]):
        raise Refusal(f"is attached to account {before['chatwoot_account_id']}: a store keeps its account")
    return Ground(wanted, organization, before, await site.steps(organization))


async def _known_access(site: ChatwootSite, ground: Ground) -> Access | None:
    """What the file says of an account that is there, else what is known of one that was made."""
    wanted, before = ground.wanted, ground.row
    if wanted.entry.account_id is not None and wanted.api_access_token is not None:
        return Access(wanted.entry.account_id, wanted.api_access_token)
    if before is None or not before["api_access_token"]:
        return None
    try:
        sealed = before["api_access_token"]
        token = site.vault.open(sealed, organization=ground.organization, column="api_access_token")
    except Sealed:
        return None
    return Access(before["chatwoot_account_id"], SecretStr(token))


async def _access(site: ChatwootSite, ground: Ground) -> Access:
    found = await _known_access(site, ground)
    if found is None:
        raise Refusal("its account cannot be entered: say its api_access_token")
    return found


async def _doors(site: ChatwootSite, ground: Ground, found: Access | None = None) -> Doors:
    wanted, before = ground.wanted, ground.row
    token = found.token if found else wanted.platform_token
    release = await site.release(site.api(wanted.base_url, token or SecretStr("")))
    numbers = tuple(int(part) for part in release.partition("-")[0].partition("+")[0].split(".") if part.isdigit())
    hashed = before["path_token_sha256"] if before else None
    return Doors(
        url=f"{site.settings.public_url.rstrip('/')}/webhooks/chatwoot/{wanted.slug}",
        release=numbers,
        secrets=_opened(site, ground, ("webhook_secret", "webhook_secret_previous")),
        token_is_known=lambda text: hashed is not None and hmac.compare_digest(_hash(text), hashed),
    )


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _opened(site: ChatwootSite, ground: Ground, columns: Sequence[str]) -> list[str]:
    """What the doors know now. A previous secret is sealed as it was, for the column where it was the current one."""
    opened = []
    for column in columns:
        sealed = ground.row[column] if ground.row else None
        try:
            if sealed:
                current = column.removesuffix("_previous")
                opened.append(site.vault.open(sealed, organization=ground.organization, column=current))
        except Sealed:
            continue  # another key's: the row gets what Chatwoot shows
    return opened


async def _settled(site: ChatwootSite, ground: Ground, found: Access, made: list[AccountChange]) -> AppliedPlan:
    """Look, change, look again, until there is nothing to change; then the row; then the webhook hears."""
    wanted, api = ground.wanted, site.api(ground.wanted.base_url, found.token)
    doors = await _doors(site, ground, found)
    for _ in range(_ROUNDS):
        observed = await _observed(api, wanted, found.account_id)
        every = _all_differences(wanted, observed, found.account_id, doors, ours=ground.inbox_is_ours)
        changes = [one for one in every if one.step != "events" and one.call is not None]
        if not changes:
            break
        for step, group in groupby(changes, key=lambda one: one.step):
            await site.begin(ground.organization, step, wanted.base_url)
            for change in group:
                assert change.call is not None
                await api.do(change.call.method, change.call.path, change.call.body)
        made += changes
    else:
        raise Retryable("what was made in its account is changed again at once: does somebody else set it up?")
    added = await _stored(site, ground, found, observed, doors, made)
    for change in every:
        if change.call is None:
            raise Retryable(f"{change.what} cannot be made yet")
        await site.begin(ground.organization, "events", wanted.base_url)
        await api.do(change.call.method, change.call.path, change.call.body)
        made.append(change)
    await _finished(site, ground, observed, doors, made)
    return AppliedPlan(wanted.slug, ground.organization, made, added)


async def _stored(
    site: ChatwootSite, ground: Ground, found: Access, observed: Observed, doors: Doors, made: list[AccountChange]
) -> Added:
    """The store's own row, by the same path as `stores add`."""
    changes = _row_changes(site, ground, found, observed, doors)
    if changes:
        await site.begin(ground.organization, "store", ground.wanted.base_url)
    for change in changes:
        if change.call is not None:
            await access.platform(site, ground.wanted).do(change.call.method, change.call.path, change.call.body)
    made += changes
    return await attach.put(site.pool, site.vault, _options(ground, found, observed, doors))


async def _finished(
    site: ChatwootSite, ground: Ground, observed: Observed, doors: Doors, made: Sequence[AccountChange]
) -> None:
    """Every step that was begun, also by an attempt that was interrupted, is done; who made it so is written down."""
    inbox, webhook = widget_inbox(ground.wanted, observed), current_webhook(observed, doors)
    ids = {"inbox": inbox.id if inbox else None, "webhook": webhook.id if webhook else None}
    for step, known in (await site.steps(ground.organization)).items():
        if known["done_at"] is None:
            await site.done(ground.organization, step, ids.get(step))
    if made:
        steps = ", ".join(dict.fromkeys(one.step for one in made))
        async with scoped(site.pool, {ground.organization}) as conn:
            await note(conn, "stores apply", store=ground.organization, thing=f"{len(made)} changes: {steps}")


def _store_last(changes: Sequence[AccountChange], store: Sequence[AccountChange]) -> list[AccountChange]:
    """The order in which it is done: the webhook's events after the row."""
    events = [one for one in changes if one.step == "events"]
    return [*(one for one in changes if one.step != "events"), *store, *events]


def _row_changes(
    site: ChatwootSite, ground: Ground, found: Access, observed: Observed, doors: Doors
) -> list[AccountChange]:
    if ground.row is None:
        return [AccountChange("+", "store", f"store {ground.wanted.slug}")]
    before, options = dict(ground.row), _options(ground, found, observed, doors)
    columns = row.wanted(options, ground.organization, before, site.vault).columns
    changed = [name for name, value in columns.items() if value != before[name] and name not in _UNSEEN]
    changes = [_row_change(name, before[name], columns[name]) for name in changed]
    account = {_OF_THE_ACCOUNT[name]: columns[name] for name in changed if name in _OF_THE_ACCOUNT}
    if account and ground.wanted.is_made and changes:
        call = Call("PATCH", f"{PLATFORM}/accounts/{found.account_id}", account)
        changes[0] = replace(changes[0], call=call)
    return changes


def _row_change(name: str, before: Any, after: Any) -> AccountChange:
    if name in _SECRETS:
        return AccountChange("~", "store", name, "(sealed)" if before else None, "(another)" if after else None)
    return AccountChange("~", "store", name, _text(before), _text(after))


def _text(value: Any) -> str | None:
    return None if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _options(ground: Ground, found: Access, observed: Observed, doors: Doors) -> StoreOptions:
    """The store as `stores add` would be told it."""
    wanted, entry = ground.wanted, ground.wanted.entry
    inbox, webhook = widget_inbox(wanted, observed), current_webhook(observed, doors)
    columns: dict[str, Any] = {
        "slug": wanted.slug,
        "organization_id": ground.organization,
        "name": entry.account_name,
        "base_url": wanted.base_url,
        "account_id": found.account_id,
        "release": None if ground.row else ".".join(map(str, doors.release[:3])),
        "website_token": inbox.website_token if inbox else None,
        "api_access_token": found.token,
        "identity_key": inbox.hmac_token if inbox else None,
        "event_secret": wanted.event_secret,
        "vouching_secret": wanted.vouching_secret,
        "shopify_secret": wanted.shopify_secret,
        "key_lost": wanted.key_lost,
        "domains": storefronts(wanted),
        "support_email": entry.support_email or entry.email,
        **{name: getattr(entry, name) for name in _AS_DECLARED},
        "bot_inboxes": tuple({*entry.bot_inboxes, *((inbox.id,) if entry.bot and inbox else ())}),
    }
    if webhook is not None:
        columns |= _proof(webhook.secret, doors.path_token(webhook), doors)
    try:
        return StoreOptions.model_validate(columns)
    except ValidationError as error:
        raise Refusal(f"cannot be kept as it is: {describe(error)}") from error


def _proof(secret: SecretStr | None, token: str | None, doors: Doors) -> dict[str, Any]:
    """By what its webhooks prove themselves; a path token that the doors know stays the one."""
    if token is None:
        return {"webhook_secret": secret}
    return {} if doors.token_is_known(token) else {"unsigned": True, "path_token": token}

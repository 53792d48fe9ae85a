"""`stores rotate`: a secret of a store replaced while it works, so that no accepted delivery is lost in between.

The doors know both secrets before any sender uses the new one. Where Chatwoot makes the secret itself (4.11.2 and
later) a new webhook is made beside the old one, with a subscription that is quiet until the doors know its secret; the
old one goes when the first delivery on the new one has verified. Cut short, the same command goes on. `now` is for a
leak: the old secret is refused as soon as the doors have read it, and what is lost until then the import fetches.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, SecretStr, ValidationError

from db import rotations
from db import stores as table
from db.pool import Connection, Pool, Row, scoped
from schemas.vouching import SECRET_PREFIX
from services.control.keys.another import refuse_another_key
from services.kernel import Chatwoot, Clock, Refusal
from services.kernel.actor import note
from services.kernel.chatwoot.chatwoot_client import ChatwootAccount, unsealed_token
from services.kernel.cli.environment import stores_named
from services.kernel.secrets import Secrets

What = Literal["webhook", "api", "event", "vouching", "path"]
# Until every ingress has read a change: their poll of 8 s, the query, and some.
SPREAD_SECONDS = 12.0
VERIFIED_SECONDS = 300.0  # a transaction that keeps others out may idle for ten minutes
_SECRET_BYTES = 32
_QUIET = ["inbox_created"]  # Chatwoot wants at least one
_PROFILE_TOKEN = "/api/v1/profile/reset_access_token"  # noqa: S105
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Rotated:
    """What came of it; a secret that was made here is told this once."""

    what: What
    finished: bool
    sentence: str
    secret: str | None = field(default=None, repr=False)


class _Hook(BaseModel):
    id: int
    url: str
    subscriptions: list[str] = []
    secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """One store, open for the time of one verb."""

    pool: Pool
    vault: Secrets
    chatwoot: Chatwoot
    clock: Clock
    public_url: str
    slug: str
    now: bool
    spread_seconds: float = SPREAD_SECONDS
    verified_seconds: float = VERIFIED_SECONDS
    say: Callable[[str], None] = lambda sentence: None  # what is waited for, and how long at most

    async def rotate(self, what: What) -> Rotated:
        """Raises Refusal, Retryable, Sealed."""
        store = (await stores_named(self.pool, self.slug))[self.slug]
        async with scoped(self.pool, {store}) as conn:
            row = await table.account(conn, store)
        if row is None:
            raise Refusal(f"store {self.slug} has no account")
        await refuse_another_key(self.pool, self.vault, self.slug)
        if row["unsigned"] != (what == "path") and what in ("path", "webhook"):
            other = "path" if row["unsigned"] else "webhook"
            raise Refusal(f"store {self.slug} proves its webhooks otherwise: rotate --what {other}")
        if what == "webhook":
            return await self._webhook(store, row)
        if what == "path":
            return await self._path(store, row)
        if what == "api":
            return await self._api(store, row)
        return await self._shop(what, store, row)

    async def _shop(self, what: Literal["event", "vouching"], store: UUID, row: Row) -> Rotated:
        """Ours to make, and the shop's to take over: the previous one is good until then."""
        column, made = f"{what}_secret", SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        before = row[column]
        if before is None and row["event_secret"]:  # the event secret vouched so far
            vouched = self.vault.open(row["event_secret"], organization=store, column="event_secret")
            before = self.vault.seal(vouched, organization=store, column=column)
        await self._put(store, {
            column: self.vault.seal(made, organization=store, column=column),
            f"{column}_previous": None if self.now else before,
        })  # fmt: skip
        return Rotated(what, True, f"the shop's new {what} secret" + self._previous(), made)

    async def _api(self, store: UUID, row: Row) -> Rotated:
        """Chatwoot refuses the old one at once, so the new one is kept before anything else happens."""
        account = self._account(store, row)
        answer = await account.call("POST", _PROFILE_TOKEN)
        token = _text(answer.content, "access_token") if answer.is_success else None
        if token is None:
            raise Refusal(
                f"this Chatwoot ({answer.status_code}) changes no token by its API: change it in the profile of the "
                "user and give it to `wootstream stores add`"
            )
        sealed = self.vault.seal(token, organization=store, column="api_access_token")
        await self._put(store, {"api_access_token": sealed})
        return Rotated("api", True, "Chatwoot made a new token and refuses the old one; it is sealed here")

    async def _path(self, store: UUID, row: Row) -> Rotated:
        """The webhook's URL in Chatwoot is changed when every ingress knows the new token."""
        hook = await self._hook_of_path(store, row)
        token = secrets.token_urlsafe(_SECRET_BYTES)
        # What Chatwoot uses counts, not what an interrupted rotation left.
        before = hashlib.sha256(hook.url.rsplit("/", 1)[1].encode()).digest() if hook else row["path_token_sha256"]
        await self._put(store, {
            "path_token_sha256": hashlib.sha256(token.encode()).digest(),
            "path_token_sha256_previous": None if self.now else before,
        })  # fmt: skip
        url = f"{self._door}/{token}"
        if hook is None:
            return Rotated("path", False, "put the new URL into Chatwoot's webhook" + self._previous(), url)
        if not self.now:
            await self._spread()
        account = self._account(store, row)
        await _done(account, "PATCH", f"webhooks/{hook.id}", {"url": url, "subscriptions": hook.subscriptions})
        return Rotated("path", True, "Chatwoot posts to the new URL" + self._previous(), url)

    async def _hook_of_path(self, store: UUID, row: Row) -> _Hook | None:
        if row["api_access_token"] is None:
            return None
        hooks = await _hooks(self._account(store, row))
        return next((one for one in hooks if one.url.startswith(f"{self._door}/")), None)

    async def _webhook(self, store: UUID, row: Row) -> Rotated:
        account = self._account(store, row)
        async with scoped(self.pool, {store}) as conn:
            state = await rotations.of(conn, store)
        if state is None or state["old_webhook"] is None:
            await self._begin(store, row, account, version=(state["version"] if state else 1) + 1)
        return await self._go_on(store, account)

    async def _begin(self, store: UUID, row: Row, account: ChatwootAccount, *, version: int) -> None:
        hooks = await _hooks(account)
        url = f"{self._door}?v={version}"
        old = [one for one in hooks if one.url.partition("?")[0] == self._door and one.url != url]
        if not old:
            raise Refusal(f"account {account.account_id} has no webhook to {self._door}: nothing there to rotate")
        # One of an attempt that was cut short goes: whether its secret was kept here nobody knows.
        for orphan in (one for one in hooks if one.url == url):
            await _done(account, "DELETE", f"webhooks/{orphan.id}")
        new = _hook(await _done(account, "POST", "webhooks", {"url": url, "subscriptions": _QUIET}))
        if new.secret is None:
            await _done(account, "DELETE", f"webhooks/{new.id}")
            raise Refusal("this Chatwoot does not say its webhooks' secrets: it is older than 4.11.2")
        sealed = self.vault.seal(new.secret.get_secret_value(), organization=store, column="webhook_secret")
        previous = None if self.now else row["webhook_secret"]
        async with scoped(self.pool, {store}) as conn:
            await rotations.put(conn, store, {"webhook_secret": sealed, "webhook_secret_previous": previous})
            await self._note(conn, store, "webhook_secret, by a new webhook")
            await rotations.begin(conn, store, version=version, new=new.id, old=old[-1].id)

    async def _go_on(self, store: UUID, account: ChatwootAccount) -> Rotated:
        state = await self._state(store)
        if self.now:
            await self._put(store, {"webhook_secret_previous": None})
        else:
            await self._spread()
        hooks = {one.id: one for one in await _hooks(account)}
        old, new = hooks.get(state["old_webhook"]), hooks.get(state["new_webhook"])
        if new is None:
            raise Refusal(f"webhook {state['new_webhook']} was removed in Chatwoot: `stores add` with another's secret")
        if old is not None:
            await _done(account, "PATCH", f"webhooks/{new.id}", {"url": new.url, "subscriptions": old.subscriptions})
            if not self.now and not await self._verified(store):
                return Rotated("webhook", False, "nothing has come on the new webhook yet: say it again later, "
                               "the old one stays until then")  # fmt: skip
            await _done(account, "DELETE", f"webhooks/{old.id}")
        async with scoped(self.pool, {store}) as conn:
            await rotations.done(conn, store)
            await self._note(conn, store, "the old webhook, which is removed")
        return Rotated("webhook", True, "deliveries come on the new webhook, the old one is removed" + self._previous())

    async def _spread(self) -> None:
        self.say(f"waiting {self.spread_seconds:.0f} s, until every ingress knows the new one")
        await self.clock.sleep(self.spread_seconds)

    async def _verified(self, store: UUID) -> bool:
        self.say(
            f"waiting for a delivery on the new webhook, {self.verified_seconds:.0f} s at most; Ctrl-C loses nothing"
        )
        until = self.clock.monotonic() + self.verified_seconds
        while (await self._state(store))["verified_at"] is None:
            if self.clock.monotonic() >= until:
                return False
            await self.clock.sleep(_LOOK_SECONDS)
        return True

    async def _state(self, store: UUID) -> Row:
        async with scoped(self.pool, {store}) as conn:
            state = await rotations.of(conn, store)
        assert state is not None
        return state

    async def _put(self, store: UUID, columns: Mapping[str, object]) -> None:
        async with scoped(self.pool, {store}) as conn:
            await rotations.put(conn, store, columns)
            await self._note(conn, store, ", ".join(sorted(columns)))

    async def _note(self, conn: Connection, store: UUID, thing: str) -> None:
        await note(conn, "stores rotate --now" if self.now else "stores rotate", store=store, thing=thing)

    def _account(self, store: UUID, row: Row) -> ChatwootAccount:
        if row["api_access_token"] is None:
            raise Refusal(f"store {self.slug} has no API token: give it one with `wootstream stores add`")
        token = unsealed_token(self.vault, row["api_access_token"], store=store)
        return ChatwootAccount(self.chatwoot, store, row["chatwoot_base_url"], row["chatwoot_account_id"], token)

    @property
    def _door(self) -> str:
        return f"{self.public_url.rstrip('/')}/webhooks/chatwoot/{self.slug}"

    def _previous(self) -> str:
        if self.now:
            return "; the old one is refused from now on: fetch what was lost meanwhile with `import history`"
        return "; the one before stays good until `stores add … --forget-previous`"


async def _hooks(account: ChatwootAccount) -> list[_Hook]:
    listed = await _done(account, "GET", "webhooks")
    try:
        return [_Hook.model_validate(one) for one in listed["payload"]["webhooks"]]
    except (KeyError, TypeError, ValidationError) as cause:
        raise Refusal("Chatwoot's list of webhooks cannot be read: is there a proxy in between?") from cause


def _hook(made: Any) -> _Hook:
    try:
        return _Hook.model_validate(made["payload"]["webhook"])
    except (KeyError, TypeError, ValidationError) as cause:
        raise Refusal("Chatwoot made a webhook and its answer cannot be read: is there a proxy in between?") from cause


async def _done(account: ChatwootAccount, method: str, path: str, body: Any = None) -> Any:
    answer = await account.call(method, account.path(path), body=body)
    if not answer.is_success:
        asked = f"{method} {path.partition('/')[0]}"
        raise Refusal(f"Chatwoot answers {answer.status_code} to {asked}: is the store's token an administrator's?")
    return orjson.loads(answer.content) if answer.content else None


def _text(content: bytes, name: str) -> str | None:
    found = orjson.loads(content).get(name) if content else None
    return found if isinstance(found, str) and found else None

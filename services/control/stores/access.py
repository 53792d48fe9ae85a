"""An account of a store's own, and a technical user who may set it up: the Platform API's part (facts §3.4, 1 to 3).

The user comes first: the Platform API makes no second user of one address, so whoever died in between is found again
by it, with the accounts it belongs to. The account names the store it was made for in a custom attribute, by which it
is found where the answer to its making was lost.
"""

import secrets
from dataclasses import dataclass
from uuid import UUID

import httpx
from pydantic import SecretStr

from db.pool import Row
from schemas.chatwoot.setup import STORE_MARK, PlatformAccount, PlatformAccounts, Token, User
from services.control.stores.calls import PLATFORM, Api, RefusedCall
from services.control.stores.declared.stores_file_reader import WantedStore
from services.control.stores.site import ChatwootSite
from services.kernel import Refusal

_DOMAIN = "wootstream.invalid"  # reserved (RFC 2606): nobody's address, and no mail ever arrives
_GAP = 200  # account ids in a row that are nobody's: the end of the table
_NOBODYS = (httpx.codes.NOT_FOUND, httpx.codes.UNAUTHORIZED)


@dataclass(frozen=True, slots=True)
class Access:
    """An account, and a token of one of its administrators."""

    account_id: int
    token: SecretStr


def technical_email(wanted: WantedStore, organization: UUID) -> str:
    return (wanted.entry.agent_email or f"store-{organization.hex}@{_DOMAIN}").lower()


def platform(site: ChatwootSite, wanted: WantedStore) -> Api:
    if wanted.platform_token is None:
        raise Refusal("its chatwoot has no platform_token, and only that makes accounts")
    return site.api(wanted.base_url, wanted.platform_token)


async def ensured(site: ChatwootSite, wanted: WantedStore, organization: UUID) -> Access:
    """Make what is absent: user, account, membership. Raises Refusal where the user is somebody else's."""
    api = platform(site, wanted)
    await site.release(api)  # judges the address
    steps = await site.steps(organization)
    user = await _user(site, api, wanted, organization, steps)
    account = await _account(site, api, wanted, organization, user, steps)
    await _member(site, api, wanted, organization, user, account, steps)
    return Access(account.id, await token_of(api, user))


async def known(site: ChatwootSite, wanted: WantedStore, organization: UUID) -> Access | None:
    """What an interrupted attempt has made so far; nothing is made."""
    steps = await site.steps(organization)
    if wanted.platform_token is None or any(not _made(steps, name) for name in ("user", "account", "member")):
        return None
    api = platform(site, wanted)
    await site.release(api)
    user: User | None = await api.find(User, f"{PLATFORM}/users/{steps['user']['chatwoot_id']}")
    if user is None or user.access_token is None:
        return None
    return Access(steps["account"]["chatwoot_id"], user.access_token)


def _made(steps: dict[str, Row], name: str) -> bool:
    return name in steps and steps[name]["done_at"] is not None


async def _user(site: ChatwootSite, api: Api, wanted: WantedStore, organization: UUID, steps: dict[str, Row]) -> User:
    """Somebody who has this address already is answered unchanged, token and all."""
    if _made(steps, "user"):
        found: User | None = await api.find(User, f"{PLATFORM}/users/{steps['user']['chatwoot_id']}")
        if found is not None and (found.email or "").lower() == technical_email(wanted, organization):
            return found
    await site.begin(organization, "user", wanted.base_url)
    body = {
        "name": f"{wanted.entry.account_name or wanted.slug} (Wootstream)",
        "email": technical_email(wanted, organization),
        "password": f"{secrets.token_urlsafe(32)}aA1!",  # nobody is told it: the token is what works
        "custom_attributes": {STORE_MARK: str(organization)},
    }
    user: User = await api.ask(User, "POST", f"{PLATFORM}/users", body)
    await site.done(organization, "user", user.id)
    return user


async def token_of(api: Api, user: User) -> SecretStr:
    """3.x says it in the user's answer alone, and has no other call for it."""
    if user.access_token is not None:
        return user.access_token
    token: Token = await api.ask(Token, "POST", f"{PLATFORM}/users/{user.id}/token")
    return token.access_token


async def _account(
    site: ChatwootSite, api: Api, wanted: WantedStore, organization: UUID, user: User, steps: dict[str, Row]
) -> PlatformAccount:
    found = await _found(api, organization, user, steps, technical_email(wanted, organization))
    if found is None:
        await site.begin(organization, "account", wanted.base_url)
        found = await api.ask(PlatformAccount, "POST", f"{PLATFORM}/accounts", _body(wanted, organization))
        await site.done(organization, "account", found.id)
    elif not _made(steps, "account"):
        await site.begin(organization, "account", wanted.base_url)
        await site.done(organization, "account", found.id)
    return found


def _body(wanted: WantedStore, organization: UUID) -> dict[str, object]:
    entry = wanted.entry
    given = {
        "locale": entry.locale,
        "domain": entry.domain,
        "support_email": entry.support_email or entry.email,
    }
    marks = {"custom_attributes": {STORE_MARK: str(organization)}}
    return {"name": entry.account_name or wanted.slug, **{k: v for k, v in given.items() if v is not None}, **marks}


async def _found(api: Api, organization: UUID, user: User, steps: dict[str, Row], email: str) -> PlatformAccount | None:
    """The account that was made for this store: as it was noted, by the user's membership, by its mark."""
    ids = {one.id for one in user.accounts}
    noted = steps["account"]["chatwoot_id"] if "account" in steps else None
    for account_id in sorted(ids) or ([noted] if noted else []):
        account: PlatformAccount | None = await api.find(PlatformAccount, f"{PLATFORM}/accounts/{account_id}")
        if account is not None and account.store == str(organization) and len(ids) <= 1:
            return account
    if ids:
        raise Refusal(f"{email} belongs to account {', '.join(map(str, sorted(ids)))} already: say another agent_email")
    was_begun = "account" in steps and not _made(steps, "account")
    return await _by_mark(api, organization, was_begun=was_begun)


async def _by_mark(api: Api, organization: UUID, *, was_begun: bool) -> PlatformAccount | None:
    """From the list of our accounts; releases before 4.10 have none, and are searched where an answer was lost."""
    accounts: tuple[PlatformAccount, ...] | None
    try:
        accounts = await api.ask(PlatformAccounts, "GET", f"{PLATFORM}/accounts")
    except RefusedCall as refused:
        if refused.status != httpx.codes.NOT_FOUND:
            raise
        accounts = None
    if accounts is not None:
        return next((one for one in accounts if one.store == str(organization)), None)
    return await _searched(api, organization) if was_begun else None


async def _searched(api: Api, organization: UUID) -> PlatformAccount | None:
    """One id after the other, up to the end: ids are given in order and never twice."""
    nobodys, account_id = 0, 0
    while nobodys < _GAP:
        account_id += 1
        try:
            account: PlatformAccount = await api.ask(PlatformAccount, "GET", f"{PLATFORM}/accounts/{account_id}")
        except RefusedCall as refused:
            if refused.status not in _NOBODYS:
                raise
            nobodys = nobodys + 1 if refused.status == httpx.codes.NOT_FOUND else 0
            continue
        nobodys = 0
        if account.store == str(organization):
            return account
    return None


async def _member(
    site: ChatwootSite,
    api: Api,
    wanted: WantedStore,
    organization: UUID,
    user: User,
    account: PlatformAccount,
    steps: dict[str, Row],
) -> None:
    """Where it is so already, only the note is made: its answer was lost."""
    is_so = any(one.id == account.id and one.role == "administrator" for one in user.accounts)
    if is_so and _made(steps, "member"):
        return
    await site.begin(organization, "member", wanted.base_url)
    if not is_so:
        body = {"user_id": user.id, "role": "administrator"}
        await api.do("POST", f"{PLATFORM}/accounts/{account.id}/account_users", body)
    await site.done(organization, "member")

"""A token for somebody who acts in a store's account: the specification's GenerateTokenRequest."""

import secrets

from pydantic import SecretStr

from db import stores as table
from db.pool import Row, scoped
from schemas.chatwoot.setup import User
from schemas.provisioning import GenerateTokenRequest, GenerateTokenResponse
from services.control.stores.access import token_of
from services.control.stores.calls import PLATFORM, Api
from services.control.stores.site import ChatwootSite
from services.kernel import Refusal
from services.kernel.actor import note
from services.kernel.cli.environment import stores_named


async def generated(
    site: ChatwootSite, base_url: str, platform_token: SecretStr, request: GenerateTokenRequest
) -> GenerateTokenResponse:
    """Make the person if nobody has the address, and a member with that role. Raises Refusal.

    Chatwoot gives the token of whoever has the address, and it holds in all of that person's accounts: somebody who
    belongs to another account is refused.
    """
    row = await _store(site, base_url, request.account_id)
    api = site.api(base_url, platform_token)
    await site.release(api)  # judges the address
    body = {"name": request.agent_email, "email": request.agent_email, "password": f"{secrets.token_urlsafe(32)}aA1!"}
    user: User = await api.ask(User, "POST", f"{PLATFORM}/users", body)
    if others := [one.id for one in user.accounts if one.id != request.account_id]:
        raise Refusal(f"{request.agent_email} belongs to account {others[0]} already, where it would hold as well")
    await _join(api, user, request)
    token = await token_of(api, user)
    async with scoped(site.pool, {row["organization_id"]}) as conn:
        await note(conn, "stores token", store=row["organization_id"], thing=f"of user {user.id}, {request.role}")
    return GenerateTokenResponse(access_token=token, website_token=row["website_token"])


async def _join(api: Api, user: User, request: GenerateTokenRequest) -> None:
    member = {"user_id": user.id, "role": request.role}
    await api.do("POST", f"{PLATFORM}/accounts/{request.account_id}/account_users", member)


async def _store(site: ChatwootSite, base_url: str, account_id: int) -> Row:
    known = await stores_named(site.pool, None)
    async with scoped(site.pool, known.values()) as conn:
        rows = await table.listed(conn)
    for row in rows:
        if (row["chatwoot_base_url"], row["chatwoot_account_id"]) == (base_url, account_id):
            return row
    raise Refusal(f"account {account_id} of {base_url} is no store's: provision or attach it first")

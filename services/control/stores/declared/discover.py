"""The accounts of one administrator as entries of `stores.yaml`, ready to be edited."""

import re
from typing import Any

from pydantic import SecretStr

from schemas.chatwoot.setup import Membership, SetUpInboxes, User
from services.control.stores.calls import Api, RefusedCall
from services.control.stores.declared.observed import account_path
from services.control.stores.site import ChatwootSite
from services.kernel import Refusal

_LONGEST_SLUG = 63


async def discovered(site: ChatwootSite, base_url: str, token: SecretStr, reference: str) -> dict[str, Any]:
    """A whole file; the token is named by its place. Raises Refusal where nobody knows it."""
    api = site.api(base_url, token)
    await site.release(api)  # judges the address
    profile: User = await api.ask(User, "GET", "/api/v1/profile")
    ours = [one for one in profile.accounts if one.role == "administrator"]
    if not ours:
        raise Refusal("its owner is administrator of no account there")
    stores: dict[str, Any] = {}
    for account in ours:
        stores[_slug(account, stores)] = await _entry(api, account, reference)
    return {"chatwoots": {"main": {"base_url": base_url}}, "stores": stores}


async def _entry(api: Api, account: Membership, reference: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"account_id": account.id, "api_access_token": reference}
    if account.name:
        entry["account_name"] = account.name
    try:
        inboxes: SetUpInboxes = await api.ask(SetUpInboxes, "GET", f"{account_path(account.id)}/inboxes")
    except RefusedCall:
        return entry  # suspended
    widgets = [one for one in inboxes.payload if one.is_widget]
    if len(widgets) > 1:
        entry["website_token"] = widgets[0].website_token
    if widgets and widgets[0].website_url:
        entry["website_url"] = widgets[0].website_url
    return entry


def _slug(account: Membership, taken: dict[str, Any]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", (account.name or "").lower()).strip("-")[: _LONGEST_SLUG - 12].strip("-")
    slug = plain or f"account-{account.id}"
    return slug if slug not in taken else f"{slug}-{account.id}"

"""Contacts in lists: pages, search, filters."""

from typing import Any

from local.chatwoot.api.routing import ApiCall, route
from local.chatwoot.errors import unprocessable
from local.chatwoot.model.filters import select
from local.chatwoot.model.rows import Contact, JsonObject
from local.chatwoot.views import rest

_PAGE = 15  # RESULTS_PER_PAGE of Chatwoot's contacts controller
_COLUMNS = set("id name email phone_number identifier blocked created_at last_activity_at".split())
_SORTS = {"name", "email", "phone_number", "last_activity_at", "created_at"}


def index(call: ApiCall) -> JsonObject:
    key = call.query("sort").removeprefix("-")
    labels = set(call.request.query_params.getlist("labels[]"))
    found = [row for row in _resolved(call) if not labels or labels & {*row.labels}]
    if key in _SORTS:
        found.sort(key=lambda row: _rank(getattr(row, key)), reverse=call.query("sort").startswith("-"))
    return _page(call, found, current_page=call.query("page") or 1)


def active(call: ApiCall) -> JsonObject:
    """Who is online."""
    rows = call.state.contacts[call.account.id].values()
    found = [row for row in rows if call.state.is_online(row)]
    return _page(call, found, current_page=int(call.query("page", "1")))


def export(call: ApiCall) -> None:
    """A file of contacts is mailed to whoever asks; the double mails nothing."""


def search(call: ApiCall) -> JsonObject:
    """4.x looks at everybody and counts the page, 3.x at those with a name, and counts all."""
    if not call.query("q"):
        unprocessable("Specify search string with parameter q")
    modern, wanted = call.state.release.modern, call.query("q")
    rows = call.state.contacts[call.account.id].values() if modern else _resolved(call)
    answer = _page(call, [row for row in rows if _holds(row, wanted)], current_page=int(call.query("page", "1")))
    if modern:
        count, shown = answer["meta"]["count"], len(answer["payload"])
        answer["meta"] |= {"count": shown, "has_more": count > _PAGE * answer["meta"]["current_page"]}
    return answer


def find(call: ApiCall) -> JsonObject:
    """POST contacts/filter."""
    defined = {
        one["attribute_key"]
        for one in call.account.definitions.values()
        if one["attribute_model"] == "contact_attribute"
    }
    found = select(_resolved(call), call.body.get("payload") or [], known=_COLUMNS | defined, value=_value)
    return _page(call, found, current_page=int(call.query("page", "1")))


def _resolved(call: ApiCall) -> list[Contact]:
    """Those with an e-mail, a phone number or an identifier: Chatwoot lists nobody else."""
    rows = call.state.contacts[call.account.id].values()
    return [row for row in rows if row.email or row.phone_number or row.identifier]


def _page(call: ApiCall, found: list[Contact], *, current_page: int | str) -> JsonObject:
    start = _PAGE * (int(current_page) - 1)
    shown = [rest.contact(call.state, row) for row in found[start : start + _PAGE]]
    return {"meta": {"count": len(found), "current_page": current_page}, "payload": shown}


def _holds(row: Contact, wanted: str) -> bool:
    folded = (row.name, row.email, row.phone_number)
    return wanted in (row.identifier or "") or any(wanted.lower() in (text or "").lower() for text in folded)


def _value(row: Contact, key: str) -> Any:
    return getattr(row, key) if key in _COLUMNS else row.custom_attributes.get(key)


def _rank(value: Any) -> tuple[bool, Any]:
    return value is not None, value or 0


ROUTES = [
    route("GET", "/contacts", index),
    route("GET", "/contacts/active", active, since=(4, 4)),
    route("GET", "/contacts/search", search),
    route("POST", "/contacts/export", export, admin=True),
    route("POST", "/contacts/filter", find),
]

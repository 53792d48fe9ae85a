"""Contacts over HTTP (facts §4.2)."""

from typing import Any

from tests.double import people, views
from tests.double.api.door import Call, route
from tests.double.errors import unprocessable
from tests.double.filters import select
from tests.double.inbox_views import inbox_raw, inbox_slim
from tests.double.rows import Contact, Json

_PAGE = 15
_COLUMNS = set("id name email phone_number identifier blocked created_at last_activity_at".split())
_SORTS = {"name", "email", "phone_number", "last_activity_at", "created_at"}


def index(call: Call) -> Json:
    key = call.query("sort").removeprefix("-")
    found = _resolved(call)
    if key in _SORTS:
        found.sort(key=lambda row: _rank(getattr(row, key)), reverse=call.query("sort").startswith("-"))
    return _page(call, found, current_page=call.query("page") or 1)


def search(call: Call) -> Json:
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


def find(call: Call) -> Json:
    """POST contacts/filter."""
    defined = {
        one["attribute_key"]
        for one in call.account.definitions.values()
        if one["attribute_model"] == "contact_attribute"
    }
    found = select(_resolved(call), call.body.get("payload") or [], known=_COLUMNS | defined, value=_value)
    return _page(call, found, current_page=int(call.query("page", "1")))


def show(call: Call) -> Json:
    return {"payload": views.contact(call.state, _contact(call))}


def create(call: Call) -> Json:
    """Without a body an empty contact is made. Only with an inbox there is an identity in it."""
    inbox = call.state.inbox(call.account, call.body["inbox_id"]) if call.body.get("inbox_id") else None
    row = people.create(call.state, call.events, call.account, **call.body)
    identity = call.state.identify(row, inbox, call.body.get("source_id")) if inbox else None
    made = {
        "inbox": inbox_raw(call.state, inbox) if inbox else None,
        "source_id": identity.source_id if identity else None,
    }
    return {"payload": {"contact": views.contact(call.state, row), "contact_inbox": made}}


def update(call: Call) -> Json:
    row = _contact(call)
    people.update(call.state, call.events, row, call.body)
    return {"payload": views.contact(call.state, row)}


def destroy_custom_attributes(call: Call) -> Json:
    row, gone = _contact(call), set(call.body.get("custom_attributes") or ())
    kept = {key: value for key, value in row.custom_attributes.items() if key not in gone}
    people.store(call.state, call.events, row, custom_attributes=kept)
    return {"payload": views.contact(call.state, row)}


def merge(call: Call) -> Json:
    base = call.state.contact(call.account, call.body["base_contact_id"])
    people.merge(call.state, call.events, base, call.state.contact(call.account, call.body["mergee_contact_id"]))
    return views.contact(call.state, base, identities=False)


def delete(call: Call) -> None:
    people.delete(call.state, _contact(call))


def conversations(call: Call) -> Json:
    rows = sorted(call.state.conversations_of(_contact(call)), key=lambda row: row.last_activity_at, reverse=True)
    return {"payload": [views.conversation(call.state, row) for row in rows[:20]]}


def contactable_inboxes(call: Call) -> Json:
    """API inboxes, with a source id to use where the contact has none in them yet."""
    known = {row.inbox_id: row.source_id for row in call.state.identities(_contact(call))}
    inboxes = [inbox for inbox in call.state.inboxes_of(call.account) if not inbox.is_widget]
    shown = [{"inbox": inbox_slim(one), "source_id": known.get(one.id) or call.state.uuid()} for one in inboxes]
    return {"payload": shown}


def labels(call: Call) -> Json:
    return {"payload": _contact(call).labels}


def label(call: Call) -> Json:
    row = _contact(call)
    row.labels = list(call.body["labels"])
    return {"payload": row.labels}


def _contact(call: Call) -> Contact:
    return call.state.contact(call.account, call.number("contact"))


def _resolved(call: Call) -> list[Contact]:
    """Those with an e-mail, a phone number or an identifier: Chatwoot lists nobody else."""
    rows = call.state.contacts[call.account.id].values()
    return [row for row in rows if row.email or row.phone_number or row.identifier]


def _page(call: Call, found: list[Contact], *, current_page: int | str) -> Json:
    start = _PAGE * (int(current_page) - 1)
    shown = [views.contact(call.state, row) for row in found[start : start + _PAGE]]
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
    route("POST", "/contacts", create),
    route("GET", "/contacts/search", search),
    route("POST", "/contacts/filter", find),
    route("GET", "/contacts/{contact:int}", show),
    route("PUT", "/contacts/{contact:int}", update),
    route("PATCH", "/contacts/{contact:int}", update),
    route("DELETE", "/contacts/{contact:int}", delete, admin=True),
    route("POST", "/contacts/{contact:int}/destroy_custom_attributes", destroy_custom_attributes),
    route("GET", "/contacts/{contact:int}/conversations", conversations),
    route("GET", "/contacts/{contact:int}/contactable_inboxes", contactable_inboxes),
    route("GET", "/contacts/{contact:int}/labels", labels),
    route("POST", "/contacts/{contact:int}/labels", label),
    route("POST", "/actions/contact_merge", merge),
]

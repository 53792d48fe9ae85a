"""What the widget in a shop's page says, for the website that its token names."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.chatwoot.api.routing import answer, body_of
from local.chatwoot.double import Double
from local.chatwoot.errors import not_found, unauthorized
from local.chatwoot.model import contact_changes, talk
from local.chatwoot.model.rows import Contact, ContactInbox, Conversation, Inbox, JsonObject, Message
from local.chatwoot.model.state import DoubleState
from local.chatwoot.views import widget
from local.chatwoot.webhooks.listener import WebhookListener

_BROWSER = {
    "browser_name": "Chrome",
    "browser_version": "126.0",
    "device_name": "Unknown",
    "platform_name": "Generic Linux",
    "platform_version": "0",
}


@dataclass(frozen=True, slots=True)
class WidgetVisit:
    """One browser session in one shop."""

    state: DoubleState
    events: WebhookListener
    body: JsonObject
    inbox: Inbox
    identity: ContactInbox

    @property
    def contact(self) -> Contact:
        return self.state.contacts[self.inbox.account_id][self.identity.contact_id]


def configure(visit: WidgetVisit) -> JsonObject:
    return widget.config(visit.state, visit.inbox, visit.identity, visit.contact)


def set_user(visit: WidgetVisit) -> JsonObject:
    """The shop vouches for its visitor; a wrong hash, or none where one must be, is refused."""
    identifier, given = visit.body.get("identifier") or "", visit.body.get("identifier_hash")
    # As a shop computes identifier_hash: HMAC-SHA-256 of the identifier with the inbox's token.
    right = hmac.new(visit.inbox.hmac_token.encode(), identifier.encode(), hashlib.sha256).hexdigest()
    if (given or visit.inbox.channel["hmac_mandatory"]) and not hmac.compare_digest(given or "", right):
        unauthorized("HMAC failed: Invalid Identifier Hash Provided")
    visit.identity.hmac_verified = bool(given)
    row = contact_changes.identify(visit.state, visit.events, visit.contact, visit.body)
    return {
        "id": row.id,
        "has_email": bool(row.email),
        "has_name": bool(row.name),
        "has_phone_number": bool(row.phone_number),
    }


def trigger(visit: WidgetVisit) -> Response:
    browser = {"widget_language": "de", "browser_language": "de", "browser": _BROWSER}
    visit.events.widget_opened(visit.identity, visit.inbox, visit.body["event_info"] | browser)
    return Response(status_code=204)


def begin(visit: WidgetVisit) -> JsonObject:
    """A conversation whose first message is the visitor's. Who is known already keeps their name."""
    if given := visit.body.get("contact"):
        known = visit.contact.email or visit.contact.phone_number or visit.contact.identifier
        contact_changes.identify(visit.state, visit.events, visit.contact, given | ({"name": None} if known else {}))
    row = _begin(visit, visit.body["message"], custom_attributes=visit.body.get("custom_attributes") or {})
    _say(visit, row)
    return widget.conversation(visit.state, row, visit.contact)


def say(visit: WidgetVisit) -> JsonObject:
    talks = [one for one in visit.state.conversations_of(visit.contact) if one.contact_inbox is visit.identity]
    return widget.message(visit.state, _say(visit, talks[-1] if talks else _begin(visit, visit.body["message"])))


def answer_form(visit: WidgetVisit) -> JsonObject:
    """A rating, or the e-mail address that was asked for; the latter makes the visitor known."""
    message = visit.state.messages.get(visit.body["id"]) or not_found()
    if (email := (visit.body.get("contact") or {}).get("email")) and message.content_type == "input_email":
        contact_changes.identify(
            visit.state, visit.events, visit.contact, {"email": email, "name": email.partition("@")[0]}
        )
        talk.fill_in(visit.state, visit.events, message, submitted_email=email)
    if values := (visit.body.get("message") or {}).get("submitted_values"):
        _rate(visit, message, values["csat_survey_response"])
        talk.fill_in(visit.state, visit.events, message, submitted_values=values)
    return {"contact": widget.raw_contact(visit.state, visit.contact)}


def _rate(visit: WidgetVisit, message: Message, given: JsonObject) -> None:
    answers, now = visit.state.accounts[visit.inbox.account_id].answers, visit.state.now()
    held = answers.get(message.id) or {"id": visit.state.number("answer"), "message": message, "created_at": now}
    answers[message.id] = held | {"rating": given["rating"], "feedback_message": given.get("feedback_message")}


def _begin(visit: WidgetVisit, message: JsonObject, **given: Any) -> Conversation:
    seen: JsonObject = {"browser": _BROWSER, "browser_language": "de", "referer": message.get("referer_url")}
    seen["initiated_at"] = {"timestamp": message.get("timestamp")}
    return talk.begin(visit.state, visit.events, visit.identity, additional_attributes=seen, **given)


def _say(visit: WidgetVisit, row: Conversation) -> Message:
    content = visit.body["message"]["content"]
    form = {"in_reply_to": None}
    return talk.say(
        visit.state,
        visit.events,
        row,
        content,
        message_type="incoming",
        sender=visit.contact,
        content_attributes=form,
    )


def _route(method: str, path: str, handler: Callable[[WidgetVisit], Any], *, strangers: bool = False) -> Route:
    """`strangers`: who brings no session gets one, and is a new contact from then on."""

    async def endpoint(request: Request) -> Response:
        double: Double = request.app.state.double
        state, body = double.state, await body_of(request) | request.path_params
        inbox = state.widget(request.query_params.get("website_token"))
        if state.accounts[inbox.account_id].settings["status"] == "suspended":
            unauthorized("Account is suspended")
        identity = state.contact_inboxes.get(request.headers.get("x-auth-token", ""))
        if identity is None and strangers:
            identity = state.identify(contact_changes.visitor(state, double.events, inbox), inbox)
        visit = WidgetVisit(state, double.events, body, inbox, identity or not_found())
        return await answer(double, handler(visit))

    return Route("/api/v1/widget" + path, endpoint, methods=[method])


ROUTES = [
    _route("POST", "/config", configure, strangers=True),
    _route("PATCH", "/contact/set_user", set_user),
    _route("POST", "/events", trigger),
    _route("POST", "/conversations", begin),
    _route("POST", "/messages", say),
    _route("PATCH", "/messages/{id:int}", answer_form),
]

"""Ratings over HTTP."""

from collections import Counter

from local.chatwoot.api.routing import ApiCall, route
from local.chatwoot.model.rows import Conversation, JsonObject, Message
from local.chatwoot.views import rest
from local.chatwoot.views.shared import unix

_PAGE = 25  # RESULTS_PER_PAGE of Chatwoot's CSAT controller


def index(call: ApiCall) -> list[JsonObject]:
    start = _PAGE * (int(call.query("page", "1")) - 1)
    return [_form(call, one) for one in _answers(call)[start : start + _PAGE]]


def metrics(call: ApiCall) -> JsonObject:
    ratings = Counter(str(one["rating"]) for one in _answers(call))
    messages = (one for row in call.account.conversations.values() for one in row.messages)
    asked = sum(one.content_type == "input_csat" for one in messages)
    return {"total_count": ratings.total(), "ratings_count": dict(ratings), "total_sent_messages_count": asked}


def _answers(call: ApiCall) -> list[JsonObject]:
    """Latest first; `since` and `until` are unix seconds."""
    since, until = float(call.query("since", "0")), float(call.query("until", "inf"))
    found = [one for one in call.account.answers.values() if since <= one["created_at"].timestamp() < until]
    return sorted(found, key=lambda one: one["created_at"], reverse=True)


def _form(call: ApiCall, one: JsonObject) -> JsonObject:
    message: Message = one["message"]
    row: Conversation = message.conversation
    form: JsonObject = {
        "id": one["id"],
        "rating": one["rating"],
        "feedback_message": one["feedback_message"],
        "account_id": call.account.id,
        "message_id": message.id,
        "contact": rest.contact(call.state, call.state.partner(row), identities=False),
        "conversation_id": row.display_id,
        "created_at": unix(one["created_at"]),
    }
    if call.state.release.modern:
        form |= {"csat_review_notes": None, "review_notes_updated_at": None}
    if row.assignee_id:
        form["assigned_agent"] = rest.agent(call.state, call.account, call.state.users[row.assignee_id])
    return form


ROUTES = [
    route("GET", "/csat_survey_responses", index, admin=True),
    route("GET", "/csat_survey_responses/metrics", metrics, admin=True),
]

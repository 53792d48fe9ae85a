"""Whatever Chatwoot's API answers, or who answers in its place: it is read, or refused as unreadable, and kept."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from db.people import pushes
from db.pool import Connection, Pool
from db.reporting import account_details
from schemas.chatwoot import rest
from schemas.chatwoot.contacts import CreatedContact, ErrorAnswer, FoundContacts, OneContact, ShownContact
from schemas.reports import Comparison, ReportSummary
from schemas.topics import WEBHOOKS
from services.contacts.events import contact_of
from services.contacts.handlers import adopt
from services.contacts.sending.contacts_api import ContactsApi, RefusedByChatwoot
from services.conversations import events as conversation_events
from services.conversations import handlers as conversations
from services.conversations.chatwoot.account_reader import AccountReader
from services.conversations.figures.rules import release_of
from services.conversations.reports.comparison import differences
from services.kernel import Chatwoot, Invalid, Retryable
from services.kernel.chatwoot.chatwoot_client import ChatwootAccount, ChatwootAnswer, Unanswered
from tests.fields import sound
from tests.fields.applying import NOW, nothing_is_our_bug, record, undone
from tests.fields.hostile import bodies, in_batches, places, values, written
from tests.services.attached import ACCOUNT_ID

_AT_ONCE = 20
_PAGE = {"data": {"meta": {"all_count": 1}, "payload": [sound.HISTORY["conversation"]]}}
_SUMMARY = dict.fromkeys(rest.Summary.model_fields, 1)
_NAMES = [{"id": 1, "name": "Ada"}, {"id": 2, "name": None}]
_READ: dict[str, tuple[Any, Any]] = {
    "/api": (rest.Version, {"version": "4.13.0"}),
    "inboxes": (rest.Inboxes, {"payload": _NAMES}),
    "bot": (rest.InboxBot, {"agent_bot": {"id": 1}}),
    "agents": (tuple[rest.Agent, ...], _NAMES),
    "conversations": (rest.Conversations, _PAGE),
    "messages": (rest.Messages, {"payload": sound.HISTORY["messages"]}),
    "summary": (rest.Summary, _SUMMARY),
}
_CONTACTS: dict[str, tuple[Any, Any]] = {
    "put": (OneContact, {"payload": sound.CONTACT}),
    "find": (FoundContacts, {"payload": [sound.CONTACT]}),
    "create": (CreatedContact, {"payload": {"contact": sound.CONTACT}}),
    "refused": (ErrorAnswer, {"attributes": ["email"]}),
}


@dataclass(frozen=True)
class _Anything:
    """Whoever answers at Chatwoot's address."""

    body: Any
    status: int = 200

    async def call(self, *_path: str, **_parts: Any) -> ChatwootAnswer:
        return ChatwootAnswer(self.status, written(self.body), is_json=True)


def _answers(forms: dict[str, tuple[Any, Any]]) -> st.SearchStrategy[list[tuple[str, Any]]]:
    """A batch of answers, each to the call of this name."""
    one = st.one_of(
        *(
            st.tuples(st.just(name), bodies([body], places(form, ("customer_tier", "other"))) | values)
            for name, (form, body) in forms.items()
        )
    )
    return st.lists(one, min_size=_AT_ONCE // 2, max_size=_AT_ONCE)


@in_batches(_AT_ONCE)
@given(answers=_answers(_READ))
async def test_what_an_account_answers_is_kept_or_unreadable(
    pool: Pool, store: UUID, answers: list[tuple[str, Any]]
) -> None:
    read: list[Any] = []
    for name, body in answers:
        account = AccountReader(_account(store, _Anything(body)), NOW)
        with suppress(Unanswered):  # which says that it is unreadable
            read.append(await account.get(name, _READ[name][0]))
    async with undone(pool, store) as conn:
        for answer in read:
            await _keep(conn, store, answer)
    imported = [one.model_dump_json().encode() for answer in read for one in _histories(answer)]
    records = [record(WEBHOOKS.name, store, rest.CONVERSATION, body, {}) for body in imported]
    await nothing_is_our_bug(pool, store, records, conversation_events.read, conversations.keep)


async def _keep(conn: Connection, store: UUID, answer: Any) -> None:
    """As the directory does, and the comparison."""
    if isinstance(answer, rest.Version):
        assert release_of(answer.version) > (0,)
        await account_details.put_release(conn, store, answer.version, at=NOW)
    elif isinstance(answer, rest.Inboxes):
        inboxes = {one.id: (one.id, one.name, True) for one in answer.payload}
        await account_details.put_inboxes(conn, store, list(inboxes.values()), at=NOW)
    elif isinstance(answer, rest.Summary):
        asked: dict[str, Any] = {"since": NOW, "until": NOW, "timezone": "UTC"}
        told = differences(ReportSummary(**asked), answer, until=NOW, attached_later=False, release="4.13.0")
        Comparison(store="s", **asked, figures=told).model_dump_json()
    elif isinstance(answer, tuple):
        await account_details.put_names(conn, store, "agent", [*{one.id: one.name for one in answer}.items()], at=NOW)


def _histories(answer: Any) -> Iterator[rest.History]:
    if isinstance(answer, rest.Conversations):
        yield from (rest.History(conversation=one, messages=()) for one in answer.data.payload)
    if isinstance(answer, rest.Messages):
        conversation = rest.ApiConversation.model_validate(sound.HISTORY["conversation"])
        yield rest.History(conversation=conversation, messages=answer.payload)


@in_batches(_AT_ONCE)
@given(answers=_answers(_CONTACTS))
async def test_what_is_answered_about_a_contact_is_kept_or_unreadable(
    pool: Pool, store: UUID, answers: list[tuple[str, Any]]
) -> None:
    async with undone(pool, store) as conn:
        for name, body in answers:
            status = 422 if name == "refused" else 200
            api = ContactsApi(_account(store, _Anything(body, status)))
            try:
                shown = await _ask(api, name)
            except RefusedByChatwoot as refused:
                await pushes.refused(conn, (store, ACCOUNT_ID, 5), str(refused))
                continue
            except (Invalid, Retryable):
                continue
            for one in shown:
                found = contact_of(one, store=store, account_id=ACCOUNT_ID)
                await adopt(conn, found)
                await pushes.acknowledge(
                    conn,
                    found.key,
                    dict(one.custom_attributes),
                    written=set(),
                    sent=dict(one.custom_attributes),
                    at=NOW,
                )


def _account(store: UUID, answering: _Anything) -> ChatwootAccount:
    return ChatwootAccount(cast(Chatwoot, answering), store, "https://x.example", ACCOUNT_ID, "token")


async def _ask(api: ContactsApi, name: str) -> Sequence[ShownContact]:
    if name == "find":
        return await api.find({"identifier": "c1"})
    if name == "create":
        return [await api.create({"identifier": "c1"})]
    return [await api.put(5, {})]

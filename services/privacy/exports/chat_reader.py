"""A person's chats as Chatwoot tells them at that moment: what they wrote and were answered, without others' names.

Read within the server's pace, one call after the other, and bounded: either all of it or an error.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from schemas.chatwoot.shown_chats import (
    ChatWriter,
    ContactConversations,
    ShownConversation,
    ShownMessage,
    ShownMessages,
)
from schemas.values import json_text
from services.kernel import Process, Refusal, Retryable
from services.kernel.chatwoot.chatwoot_client import ChatwootAccount
from services.privacy.erasures.contact_removal import account_of
from services.privacy.who import PersonNames

M = TypeVar("M", bound=BaseModel)
_ANSWER_BYTES = 16 * 1024 * 1024
_PAGE, _OVERLAP = 100, 10  # answers are sorted by moment and begin after an id, and the two may disagree
_MOST_CONVERSATIONS, _MOST_MESSAGES, _MOST_CHARACTERS = 2_000, 50_000, 50_000_000
_ACTIVITY, _INCOMING = 2, 0
_KINDS = ("incoming", "outgoing", "activity", "template")
YOU, _ANOTHER, _BOT = "you", "another person", "bot"


@dataclass(slots=True)
class Chats:
    """Rows of conversations and messages; `absent` is why there are none."""

    conversations: list[Mapping[str, Any]] = field(default_factory=list)
    messages: list[Mapping[str, Any]] = field(default_factory=list)
    absent: str | None = None


async def chats_of(process: Process, store: UUID, person: PersonNames) -> Chats:
    """All of them. Raises Retryable while Chatwoot cannot tell, Refusal where there is more than a file should hold."""
    try:
        account = await account_of(process, store)
    except Retryable as reason:  # it was attached so: waiting does not help
        return Chats(absent=str(reason))
    if account is None:
        return Chats(absent="this store has left Chatwoot")
    return await _Reader(account, person).all()


@dataclass(slots=True)
class _Reader:
    account: ChatwootAccount
    person: PersonNames
    found: Chats = field(default_factory=Chats)
    characters: int = 0

    async def all(self) -> Chats:
        for talk in [one async for one in self._conversations()]:
            self.found.conversations.append({
                "conversation": talk.id, "inbox": talk.inbox_id, "status": talk.status,
                "begun": _moment(talk.created_at),
            })  # fmt: skip
            for message in await self._messages(talk.id):
                self.found.messages.append(self._row(talk.id, message))
        return self.found

    async def _conversations(self) -> AsyncIterator[ShownConversation]:
        """Chatwoot lists a contact's last twenty; earlier ones our tables name, and Chatwoot says whose they are."""
        contacts = {contact for owner, contact in self.person.contacts if owner in (0, self.account.account_id)}
        seen = set[int]()
        for contact in sorted(contacts):
            listed = await self._get(f"contacts/{contact}/conversations", ContactConversations)
            for one in listed.payload if listed else ():
                if one.id not in seen:
                    seen.add(one.id)
                    yield one
        for number in sorted(self.person.conversations - seen):
            earlier = await self._get(f"conversations/{number}", ShownConversation)
            if earlier and earlier.meta.sender and earlier.meta.sender.id in contacts:
                seen.add(number)
                yield earlier
            if len(seen) > _MOST_CONVERSATIONS:
                raise _too_much(f"{_MOST_CONVERSATIONS:,} conversations")

    async def _messages(self, conversation: int) -> list[ShownMessage]:
        found: dict[int, ShownMessage] = {}
        after = 0
        while True:
            answer = await self._get(f"conversations/{conversation}/messages", ShownMessages, {"after": after})
            more = answer.payload if answer else ()
            self._count(one for one in more if one.id not in found)
            found |= {one.id: one for one in more}
            if len(more) < _PAGE:
                return [one for one in found.values() if one.message_type != _ACTIVITY]
            before, after = after, sorted(one.id for one in more)[-_OVERLAP]
            if after <= before:
                raise Retryable(f"Chatwoot's messages of conversation {conversation} do not end")
            if len(self.found.messages) + len(found) > _MOST_MESSAGES:
                raise _too_much(f"{_MOST_MESSAGES:,} messages")

    def _count(self, news: Iterable[ShownMessage]) -> None:
        self.characters += sum(len(one.content or "") for one in news)
        if self.characters > _MOST_CHARACTERS:
            raise _too_much(f"{_MOST_CHARACTERS:,} characters")

    def _row(self, conversation: int, message: ShownMessage) -> Mapping[str, Any]:
        return {
            "conversation": conversation,
            "message": message.id,
            "at": _moment(message.created_at),
            "from": self._from(message),
            "kind": _KINDS[message.message_type],
            "internal note": message.private,
            "text": message.content,
            "files": [{"kind": one.file_type, "address": one.data_url} for one in message.attachments],
        }

    def _from(self, message: ShownMessage) -> str:
        """Of others, nothing but the name under which an agent shows himself."""
        speaker = message.sender or ChatWriter()
        if speaker.type == "user":
            return speaker.available_name or speaker.name or "agent"
        if message.message_type == _INCOMING or speaker.type == "contact":
            theirs = speaker.id is None or speaker.id in self.person.contact_ids
            return YOU if theirs else _ANOTHER
        return _BOT

    async def _get(self, path: str, model: type[M], query: Any = None) -> M | None:
        """None for what is gone. Raises Retryable."""
        where = self.account.path(path)
        answer = await self.account.call("GET", where, query=query, most_bytes=_ANSWER_BYTES)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if not answer.is_success:
            raise Retryable(f"Chatwoot answers {answer.status_code}: see the store's token with `wootstream doctor`")
        try:
            return json_text.read(model.model_validate_json, answer.content)
        except ValidationError as cause:
            raise Retryable("Chatwoot's answer is no chat: a proxy in between?") from cause


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _too_much(what: str) -> Refusal:
    return Refusal(f"there are more than {what}: export without the chats, and let Chatwoot's own export tell them")

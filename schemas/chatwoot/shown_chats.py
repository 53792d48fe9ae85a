"""What Chatwoot's API tells of a person's chats in full: for the person, who asks what is held of them."""

from typing import Annotated

from pydantic import Field

from schemas.bounds import Elements, Id, LongId, Name, OrElse, OrNone, Seconds
from schemas.chatwoot.conversations import ConversationStatus, Inbound, Meta

_MOST_CHARACTERS = 200_000  # Chatwoot takes 150,000 of a message
ChatText = OrNone[Annotated[str, Field(max_length=_MOST_CHARACTERS)]]


class Attachment(Inbound):
    file_type: OrNone[Name] = None
    data_url: ChatText = None


class ChatWriter(Inbound):
    """Who wrote: of an agent `available_name` is what visitors see; `type` is user, contact or a bot's."""

    id: OrNone[LongId] = None
    type: OrNone[Name] = None
    name: OrNone[Name] = None
    available_name: OrNone[Name] = None


class ShownMessage(Inbound):
    """One of `GET conversations/:id/messages`."""

    id: LongId
    message_type: int = Field(ge=0, le=3)  # incoming, outgoing, activity, template
    content: ChatText = None
    private: Annotated[bool, OrElse(False)] = False
    sender: OrNone[ChatWriter] = None
    attachments: Elements[Attachment] = ()
    created_at: Seconds


class ShownMessages(Inbound):
    payload: tuple[ShownMessage, ...]


class ShownConversation(Inbound):
    """One of `GET contacts/:id/conversations`, or `GET conversations/:id`."""

    id: Id
    inbox_id: OrNone[Id] = None
    status: ConversationStatus
    created_at: Seconds
    meta: Annotated[Meta, OrElse(Meta())] = Meta()


class ContactConversations(Inbound):
    """The last twenty."""

    payload: tuple[ShownConversation, ...]

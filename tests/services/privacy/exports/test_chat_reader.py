"""Chats in an export: all of the person's, nobody else's name, and either whole or an error."""

from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from services.kernel import Chatwoot, Process, Refusal, Retryable, Settings
from services.privacy.exports import chat_reader, holdings_file
from services.privacy.who import meant
from tests.answering import Answering
from tests.services.attached import authorize
from tests.services.privacy.conftest import KnownShop

_ANNA, _BEN = {"id": 17, "type": "contact", "name": "Anna"}, {"id": 18, "type": "contact", "name": "Ben"}
_AGENT = {"id": 1, "type": "user", "name": "Cornelis Legal Name", "available_name": "Cor"}


def said(number: int, text: str, sender: Any = None, kind: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "message_type": kind,
        "content": text,
        "created_at": 1_760_000_000 + number,
        "sender": sender,
    } | more


class Talks:
    """An account's chats by number, each of one contact."""

    def __init__(self, owners: dict[int, int], messages: dict[int, list[dict[str, Any]]], listed: set[int]) -> None:
        self.owners, self.messages, self.listed = owners, messages, listed
        self.calls = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        parts = request.url.path.split("/")[5:]
        if parts[0] == "contacts":
            own = [self._talk(one) for one in self.listed if self.owners[one] == int(parts[1])]
            return httpx.Response(200, json={"payload": own})
        number = int(parts[1])
        if number not in self.owners:
            return httpx.Response(404, json={"error": "Resource could not be found"})
        if parts[-1] != "messages":
            return httpx.Response(200, json=self._talk(number))
        after = int(request.url.params["after"])
        return httpx.Response(200, json={"payload": [one for one in self.messages[number] if one["id"] > after][:100]})

    def _talk(self, number: int) -> dict[str, Any]:
        return {"id": number, "inbox_id": 1, "status": "open", "created_at": 1_760_000_000,
                "meta": {"sender": {"id": self.owners[number]}}}  # fmt: skip


async def chats(shop: KnownShop, settings: Settings, answer: Any) -> chat_reader.Chats:
    process = Process(settings)
    await process.chatwoot.close()
    process.chatwoot = Chatwoot(settings, process.clock, CollectorRegistry(), Answering(answer))
    await authorize(shop.admin, shop.store, process.secrets)
    try:
        return await chat_reader.chats_of(process, shop.store, await shop.find("contact:17"))
    finally:
        await process.close()


async def test_a_chat_names_nobody_else_but_the_agent_as_visitors_see_them(shop: KnownShop, settings: Settings) -> None:
    await shop.contact(17)
    talks = Talks({5: 17}, {5: [
        said(1, "hello", _ANNA), said(2, "I am here, too", _BEN), said(3, "how can I help?", _AGENT, 1),
        said(4, "Cornelis Legal Name resolved it", None, 2), said(5, "beep", {"id": 2, "type": "agent_bot"}, 1),
        said(6, "look", _ANNA, attachments=[{"file_type": "image", "data_url": "https://c.example/1"}]),
    ]}, {5})  # fmt: skip
    found = await chats(shop, settings, talks)
    assert [(one["from"], one["text"]) for one in found.messages] == [
        ("you", "hello"), ("another person", "I am here, too"), ("Cor", "how can I help?"), ("bot", "beep"),
        ("you", "look"),
    ]  # fmt: skip
    assert found.messages[-1]["files"] == [{"kind": "image", "address": "https://c.example/1"}]
    assert not [name for name in ("Ben", "Legal", "Anna") if name in repr(found)]


async def test_earlier_chats_are_found_by_our_tables_but_not_those_that_became_anothers(
    shop: KnownShop, settings: Settings
) -> None:
    await shop.contact(17)
    for number in (5, 6, 7):
        await shop.put("wootstream.conversations", conversation_id=number, contact_id=17)
    talks = Talks({4: 17, 5: 17, 6: 18}, {one: [said(one, f"in {one}", _ANNA)] for one in (4, 5, 6)}, {4})
    found = await chats(shop, settings, talks)
    assert [one["conversation"] for one in found.conversations] == [4, 5]  # 6 was merged into another's, 7 is gone


async def test_every_page_of_a_long_chat_is_read(shop: KnownShop, settings: Settings) -> None:
    await shop.contact(17)
    talks = Talks({5: 17}, {5: [said(one, f"m{one}", _ANNA) for one in range(1, 351)]}, {5})
    found = await chats(shop, settings, talks)
    assert [one["text"] for one in found.messages] == [f"m{one}" for one in range(1, 351)]


async def test_while_chatwoot_cannot_tell_there_is_no_export_and_more_than_fits_is_refused(
    shop: KnownShop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.contact(17)
    with pytest.raises(Retryable):
        await chats(shop, settings, lambda _: httpx.Response(500))
    monkeypatch.setattr(chat_reader, "_MOST_CHARACTERS", 10)
    with pytest.raises(Refusal, match="10 characters"):
        await chats(shop, settings, Talks({5: 17}, {5: [said(1, "x" * 11, _ANNA)]}, {5}))


async def test_an_export_says_why_there_are_no_chats_in_it(shop: KnownShop, settings: Settings) -> None:
    await shop.customer("c1")
    process = Process(settings)  # attached without a token
    _, held = await holdings_file.gather(process, shop.store, meant("customer:c1"), include_chat=True)
    assert "token" in held.tables["chats are not in it"][0]["because"]
    await process.close()

"""`wootstream consent …` as an operator types it, and the same over HTTP."""

from collections.abc import AsyncIterator

import pytest

from db.pool import Pool
from services.kernel import Process, Refusal, Settings
from services.privacy.consent import applying
from services.privacy.erasures import erasure
from services.privacy.who import meant
from tests.services.attached import ACCOUNT_ID
from tests.services.control.conftest import point_at
from tests.services.control.verbs import answer, call, noted
from tests.services.privacy.consent.speaking import CONTACT, Speaker


@pytest.fixture(autouse=True)
def _here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(settings, monkeypatch)


@pytest.fixture
async def anna(settings: Settings, admin_pool: Pool) -> AsyncIterator[Speaker]:
    process = Process(settings)
    yield await Speaker.known(process, admin_pool)
    await process.close()


def _slug(one: Speaker) -> str:
    return f"shop-{one.store.hex[:12]}"


async def test_a_word_by_verb_counts_under_every_name_and_is_shown(anna: Speaker) -> None:
    slug = _slug(anna)
    assert (await call("consent", "give", slug, "c1", "chat", "--text", "v2", "--at", "2h")).stdout == "given\n"
    assert (await call("consent", "withdraw", slug, "anna@x.example", "chat")).stdout == "withdrawn\n"
    shown = await answer("consent", "show", slug, f"contact:{CONTACT}")
    assert (shown["now"]["chat"]["state"], shown["now"]["analytics"]["state"]) == ("withdrawn", "nothing said")
    assert [(one["given"], one["text_version"], one["source"]) for one in shown["words"]] == [
        (True, "v2", "verb"), (False, None, "verb"),
    ]  # fmt: skip
    assert "withdrawn" in (await call("consent", "show", slug, "c1")).stdout
    assert await noted(anna.admin, anna.store) == [
        "consent give", "consent withdraw", "consent show", "consent show",
    ]  # fmt: skip


async def test_what_a_store_needs_moves_what_was_kept_before(anna: Speaker) -> None:
    await anna.writes(10)
    assert "1 conversations name" in (await call("consent", "need", _slug(anna), "analytics,chat")).stdout
    (chat,) = (await anna.stored())["chats"]
    assert (chat["contact_id"], chat["hashed"], chat["message_count"]) == (None, True, 1)
    await call("consent", "need", _slug(anna), "none")
    (chat,) = (await anna.stored())["chats"]
    assert (chat["contact_id"], chat["hashed"], chat["order_count"]) == (CONTACT, False, 3)


async def test_a_need_that_ends_names_again_beyond_the_first_page(
    anna: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "_PAGE", 1)
    async with anna.admin.acquire() as conn:
        await conn.execute(
            "insert into public.chatwoot_contacts (organization_id, chatwoot_account_id, chatwoot_contact_id, email)"
            " values ($1, $2, $3, 'bert@x.example')", anna.store, ACCOUNT_ID, CONTACT - 1,
        )  # fmt: skip
    await anna.writes(10)
    await call("consent", "need", _slug(anna), "chat")
    await call("consent", "need", _slug(anna), "none")
    (chat,) = (await anna.stored())["chats"]
    assert (chat["contact_id"], chat["hashed"]) == (CONTACT, False)


async def test_what_cannot_be_is_refused_in_a_sentence(anna: Speaker) -> None:
    for words in (
        ("give", _slug(anna), "c1", "marketing"), ("need", _slug(anna), "everything"), ("show", "no-such-store", "c1"),
        ("give", _slug(anna), "c1", "chat", "--at", "2199-01-01"),
    ):  # fmt: skip
        with pytest.raises(Refusal):
            await call("consent", *words)


@pytest.mark.usefixtures("topics")
async def test_who_is_erased_has_said_nothing_and_is_never_named_again(anna: Speaker) -> None:
    await call("consent", "need", _slug(anna), "chat")
    await call("consent", "withdraw", _slug(anna), "c1", "analytics")
    await anna.writes(10)
    begun = await erasure.begin(anna.process, anna.store, meant("c1"), in_chatwoot="keep")
    await erasure.carry_on(begun)
    assert (await answer("consent", "show", _slug(anna), "c1"))["words"] == []
    (chat,) = (await anna.stored())["chats"]
    assert (chat["contact_id"], chat["hashed"]) == (None, False)

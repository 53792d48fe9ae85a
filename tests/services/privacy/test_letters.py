"""Dead letters of a person: what is shown to them is theirs, and what is forgotten with them is nobody else's."""

from typing import Any

import orjson
import pytest

from schemas.presets.shopify_privacy import PREFIX
from services.kernel import Process, Record, Settings
from services.kernel.forgetting.subjects import Subject, subjects_named
from services.privacy.erasures import erasure
from services.privacy.erasures.letter_subjects import may_be_about, was_told_of
from services.privacy.exports import holdings_file
from services.privacy.who import meant
from tests.services.privacy.conftest import KnownShop

_ANNA = {"id": 17, "name": "Anna", "email": "anna@x.example", "phone_number": "+31612345678", "identifier": "c1"}
_AGENT = {"id": 4, "name": "Cor", "email": "cor@shop.example", "type": "user"}
_MESSAGE = {
    "event": "message_created", "id": 90, "account": {"id": 1234567}, "message_type": "incoming", "sender": _ANNA,
    "content": "my friend ben@x.example says hello",
    "conversation": {"id": 9, "meta": {"sender": _ANNA, "assignee": _AGENT}},
}  # fmt: skip
_CUSTOMER = {
    "type": "customer.updated",
    "data": {"customer_id": "c1", "email": "anna@x.example", "phone": "06-12345678"},
}
_PAGE = [{"session_id": "s1", "customer_id": "c1", "event_type": "page_viewed"}]
_REDACT = {"shop_domain": "x.example", "customer": {"id": 73, "email": "anna@x.example"}, "orders_to_redact": []}


def letter(body: Any, key: str = "", event: str = "") -> Record:
    headers = (("event", event.encode()),) if event else ()
    return Record("t", f"store:{key}".encode(), body if isinstance(body, bytes) else orjson.dumps(body), headers)


_LETTERS = [
    letter(_MESSAGE, "conversation:9", "message_created"), letter(_CUSTOMER, "c1", "customer.updated"),
    letter(_PAGE, "s1", "beacon"), letter(_REDACT, "shopify:aa", PREFIX + "customers/redact"),
]  # fmt: skip


@pytest.mark.parametrize("record", _LETTERS, ids=["message", "customer", "page", "redact"])
@pytest.mark.parametrize("is_of", [was_told_of, may_be_about])
@pytest.mark.parametrize(
    "stranger",
    [
        Subject("phone", "1"), Subject("phone", "2345678"), Subject("phone", "+316"), Subject("email", "na@x.example"),
        Subject("email", "@x.example"), Subject("email", "anna@x.exam"), Subject("phone", "1234567"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_name_that_is_a_part_of_anothers_is_not_theirs(record: Record, is_of: Any, stranger: Subject) -> None:
    assert not is_of(record, {stranger})


@pytest.mark.parametrize("name", ["cor@shop.example", "ben@x.example"])
def test_what_somebody_else_wrote_is_forgotten_with_whom_it_names_and_not_shown_to_them(name: str) -> None:
    """Whoever calls himself by the agent's address would see everybody's."""
    assert may_be_about(_LETTERS[0], {Subject("email", name)})
    assert not was_told_of(_LETTERS[0], {Subject("email", name)})


@pytest.mark.parametrize("is_of", [was_told_of, may_be_about])
def test_a_letter_is_theirs_by_each_name_that_its_sender_has_for_them(is_of: Any) -> None:
    message, customer, page, redact = _LETTERS
    for name in subjects_named(
        contacts=[17], conversations=[9], customers=["c1"], emails=["ANNA@x.example"], phones=["+31 6 1234 5678"]
    ):
        assert is_of(message, {name}), name
    for name in subjects_named(customers=["c1"], emails=["anna@x.example"], phones=["0612345678"]):
        assert is_of(customer, {name}), name
    for name in subjects_named(sessions=["s1"], customers=["c1"]):
        assert is_of(page, {name}), name
    assert is_of(redact, {Subject("email", "anna@x.example")})
    assert was_told_of(redact, {Subject("customer", "73")})


@pytest.mark.parametrize(
    "body",
    [
        b'{"x": "write to jan\\u0040x.example."}', b"<jan@x.example>", b'{"x": "?mail=jan@x.example&y=1"}',
        b"{JAN@x.example",
    ],
)  # fmt: skip
def test_what_is_forgotten_is_found_however_it_is_written(body: bytes) -> None:
    assert may_be_about(letter(body), {Subject("email", "jan@x.example")})


async def test_who_calls_himself_by_a_digit_sees_and_ends_no_letter_but_his_own(
    shop: KnownShop, settings: Settings
) -> None:
    await shop.customer("c1", email="anna@x.example", phone="+31612345678")
    await shop.customer("c2", email="a@x.example", phone="1")
    bodies = {"c1": _CUSTOMER, "c2": {"data": {"customer_id": "c2", "phone": "1"}}}
    for number, (customer, body) in enumerate(bodies.items()):
        await shop.put(
            "wootstream.dead_letters", consumer_group="g", topic="t", partition=0, era=1, record_offset=number,
            kind="unreadable", reason="r", value_bytes=9, record_value=orjson.dumps(body),
            record_key=f"{shop.store}:{customer}".encode(),
        )  # fmt: skip
    process = Process(settings)
    _, held = await holdings_file.gather(process, shop.store, meant("customer:c2"))
    assert [one["value"] for one in held.tables["dead letters"]] == [orjson.dumps(bodies["c2"]).decode()]
    await erasure.carry_on(await erasure.begin(process, shop.store, meant("customer:c2")))
    async with shop.admin.acquire() as conn:
        query = "select record_value from wootstream.dead_letters where organization_id = $1 order by record_offset"
        left = [row["record_value"] for row in await conn.fetch(query, shop.store)]
    assert left == [orjson.dumps(_CUSTOMER), None]
    await process.close()

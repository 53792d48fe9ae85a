"""A shop's event out of bounds is refused with the field's name; half an emoji is none."""

import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.shop import AnyShopEvent, CustomerEvent, ShopEvent
from schemas.values import json_text
from services.kernel.errors import describe
from tests.field_cases import FOLDER

_EVENT: TypeAdapter[AnyShopEvent] = TypeAdapter(ShopEvent)
CASE = FOLDER / "far_registered_at.json"
_BODY = orjson.loads(CASE.read_bytes()) | {"time": "2026-11-25T10:00:00Z"}


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_a_far_registered_at_is_refused_by_name(moment: str) -> None:
    data = _BODY["data"] | {"registered_at": moment}
    with pytest.raises(ValidationError) as refused:
        _EVENT.validate_json(orjson.dumps(_BODY | {"data": data}))
    assert describe(refused.value) == "customer.updated.data.registered_at: lies before 1970 or after 2199"


def test_half_an_emoji_in_a_name_costs_only_itself() -> None:
    body = orjson.dumps(_BODY | {"data": {"customer_id": "c1", "name": "Jan ?"}}).replace(b"?", rb"\ud83d")
    event = json_text.read(_EVENT.validate_json, body)
    assert isinstance(event, CustomerEvent)
    assert event.data.name == "Jan \ufffd"

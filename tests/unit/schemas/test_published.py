"""The JSON Schemas for those who write senders are what the doors judge by."""

from datetime import UTC, datetime

import jsonschema
import orjson
import pytest

from local.demo.shop import shop_event
from schemas.published import FOLDER, documents

_NOW = datetime(2026, 11, 25, tzinfo=UTC)


def test_published_schemas_are_what_the_models_say() -> None:
    published = {path.name: path.read_text() for path in FOLDER.iterdir()}

    assert published == documents(), "write them anew with: python -m schemas.published"


@pytest.mark.parametrize(
    ("event", "sound"),
    [
        (shop_event("order.placed", _NOW, customer_id="c", order_id="o", amount_minor=5, currency="EUR"), True),
        (shop_event("customer.updated", _NOW, customer_id="c", marketing_consent=True), True),
        (shop_event("order.dreamt", _NOW, customer_id="c", order_id="o"), False),
        (shop_event("order.paid", _NOW, customer_id="c", order_id="o", amount_minor=-5, currency="EUR"), False),
    ],
)
def test_a_shop_event_fits_the_published_schema_or_does_not(event: object, sound: bool) -> None:
    schema = orjson.loads(documents()["shop-event.schema.json"])

    assert jsonschema.Draft202012Validator(schema).is_valid(event) is sound

"""What Shopify asks is told by the body, which its signature covers, and by nothing else."""

from typing import Any

import pytest

from schemas.presets.shopify_privacy import ShopifyMessage

_WHO = {"customer": {"id": 7300000000101, "email": "a@x.example", "phone": ""}, "shop_domain": "x.myshopify.com"}
_GID = {"admin_graphql_api_id": "gid://shopify/Customer/1"}


@pytest.mark.parametrize(
    ("body", "duty"),
    [
        (_WHO | {"orders_to_redact": []}, "forget"),
        (_WHO | {"data_request": {"id": 1}}, "show"),
        (_WHO | {"orders_requested": [1]}, "show"),
        ({"shop_id": 1, "shop_domain": "x.myshopify.com"}, "forget the shop"),
        ({"id": 1, "tax_exemptions": []} | _GID, "forget"),
        # Bodies of other topics, sent again as if they were a duty.
        (_WHO | {"id": 5, "total_price": "1.00"}, None),
        ({"id": 1, "email": "a@x.example", "updated_at": "2026-01-01T00:00:00Z"} | _GID, None),
        ({"id": 1, "admin_graphql_api_id": "gid://shopify/Order/1"}, None),
        ({"id": 1}, None),
        (_WHO | {"orders_to_redact": None}, "forget"),
        ({"shop_domain": "x.myshopify.com", "customer": None, "orders_to_redact": []}, "forget"),  # it names nobody
        ({"shop_id": 1, "shop_domain": "x.myshopify.com", "plan": "basic"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_what_it_bids_to_do(body: dict[str, Any], duty: str | None) -> None:
    assert ShopifyMessage.model_validate(body).duty == duty


def test_what_cannot_be_a_name_costs_the_other_names_nothing() -> None:
    body = {
        "customer": {"id": "no number", "email": "a\0@x.example", "phone": "+31600000101"},
        "orders_to_redact": [1, "x"],
    }
    message = ShopifyMessage.model_validate(body)
    assert (message.named.id, message.named.email, message.named.phone) == (None, None, "+31600000101")
    assert (message.duty, message.orders) == ("forget", ("1",))


def test_numbers_beyond_a_floats_are_whole() -> None:
    message = ShopifyMessage.model_validate_json(
        b'{"customer":{"id":820982911946154508},"orders_to_redact":[9007199254740993]}'
    )
    assert (message.named.id, message.orders) == ("820982911946154508", ("9007199254740993",))

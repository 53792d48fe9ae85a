"""What a shop says: CloudEvents 1.0 in structured JSON, one customer's or one order's news each.

To POST /events/{store}, signed as Standard Webhooks: one event, or an array of up to a thousand. The operator's own
systems may write the topic `shop.events` themselves: the event as value, `{store}:{customer}` as key, and the headers
`event` (its type), `store` (a UUID, as in the key), `received-at` (RFC 3339) and `id`. The reader judges both by the
same rules, and sets aside what breaks them.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from schemas.bounds import URL_CHARACTERS, moment
from schemas.values.consent import Purpose
from schemas.values.numbers import WHOLE

ShopEventType = Literal[
    "customer.registered",
    "customer.updated",
    "customer.consent",
    "order.placed",
    "order.paid",
    "order.refunded",
    "order.cancelled",
    "order.reinstated",
]
TYPES: frozenset[str] = frozenset(ShopEventType.__args__)  # type: ignore[attr-defined]
MOST_EVENTS = 1_000
# Clocks differ; but what is dated tomorrow would win over all that follows.
AHEAD = timedelta(minutes=10)
_EARLIEST = 1990
_MOST_MINOR = 10**14  # a thousand times what any order was, and far from what a bigint or a sum of them holds
_WITHOUT_NUL = r"^[^\x00]*$"
_MOST_CATEGORIES = 50


def _sane(value: datetime) -> datetime:
    """Merchandise systems write 9999-12-31 for "never", which is no moment of anything."""
    utc = moment(value)
    if utc.year < _EARLIEST:
        raise ValueError("lies before 1990")
    return utc


def _without_nul(text: str) -> str:
    """PostgreSQL's text cannot hold it."""
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


_Storable = Annotated[str, AfterValidator(_without_nul), Field(json_schema_extra={"pattern": _WITHOUT_NUL})]
ShopId = Annotated[_Storable, Field(min_length=1, max_length=255)]
Text = Annotated[_Storable, Field(max_length=255)]
_MOMENT = {"type": "string", "format": "date-time", "pattern": "^(199[0-9]|2[01][0-9]{2})-"}
ShopMoment = Annotated[AwareDatetime, AfterValidator(_sane), WithJsonSchema(_MOMENT)]
Category = Annotated[_Storable, Field(min_length=1, max_length=100)]
ShopUrl = Annotated[str, Field(pattern=r"^https?://[^\s\x00]+$", max_length=URL_CHARACTERS)]
Amount = Annotated[int, Field(strict=True, ge=0, le=_MOST_MINOR), WHOLE]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

# What the models' own checks mean, in the words of JSON Schema.
_PRICED: dict[str, Any] = {
    "properties": {"amount_minor": {"type": "integer"}, "currency": {"type": "string"}},
    "required": ["amount_minor", "currency"],
}
_UNPRICED: dict[str, Any] = {"properties": {"amount_minor": {"type": "null"}, "currency": {"type": "null"}}}
_PLACED_IS_PRICED: dict[str, Any] = {
    "if": {"properties": {"type": {"const": "order.placed"}}},
    "then": {"properties": {"data": _PRICED}},
}


class ShopModel(BaseModel):
    """Frozen, unknown fields ignored; nothing guessed: "yes" is no consent. Reasons never quote what was said."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)


class CustomerData(ShopModel):
    """A customer by the shop's own id, and those fields that are news: what is absent or null stays as it was.

    A phone that names its country, like +31 6 1234-5678, finds the contact in Chatwoot; another one is kept, and finds
    nobody there.
    """

    customer_id: ShopId
    email: Text | None = None
    phone: Text | None = None
    name: Text | None = None
    preferred_language: Text | None = None
    marketing_consent: bool | None = None
    registered_at: ShopMoment | None = None


class ConsentData(ShopModel):
    """What a customer agreed to, or no longer does: for which purpose, and by which text they were asked."""

    customer_id: ShopId
    purpose: Purpose
    given: bool
    text_version: Text | None = None


class OrderData(ShopModel):
    """An order by the shop's own id; the price in whole minor units. A refund without an amount returns everything.

    `order_number` is what the customer knows it by, `order_url` where the shop shows it, `categories` what kinds of
    things its lines are: of each the newest event that names it counts.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [_PRICED, _UNPRICED]})

    customer_id: ShopId
    order_id: ShopId
    amount_minor: Amount | None = None
    currency: Currency | None = None
    order_number: Text | None = None
    order_url: ShopUrl | None = None
    categories: Annotated[tuple[Category, ...], Field(max_length=_MOST_CATEGORIES, strict=False)] | None = None

    @model_validator(mode="after")
    def _money_is_whole(self) -> "OrderData":
        if (self.amount_minor is None) != (self.currency is None):
            raise ValueError("amount_minor and currency come together")
        return self


class _Event(ShopModel):
    specversion: Literal["1.0"]
    id: ShopId
    source: ShopId
    time: ShopMoment


class CustomerEvent(_Event):
    """customer.registered and customer.updated."""

    type: Literal["customer.registered", "customer.updated"]
    data: CustomerData


class ConsentEvent(_Event):
    """customer.consent: the newest word of each purpose counts, whatever the order of arrival."""

    type: Literal["customer.consent"]
    data: ConsentData


class OrderEvent(_Event):
    """What happened to an order; a placed one has a price. A reinstated one was cancelled and comes back: WooCommerce
    sets an order from cancelled to processing, and a shop that cancelled by mistake takes it back."""

    model_config = ConfigDict(json_schema_extra=_PLACED_IS_PRICED)

    type: Literal["order.placed", "order.paid", "order.refunded", "order.cancelled", "order.reinstated"]
    data: OrderData

    @model_validator(mode="after")
    def _placed_has_a_price(self) -> "OrderEvent":
        if self.type == "order.placed" and self.data.amount_minor is None:
            raise ValueError("order.placed needs amount_minor and currency")
        return self


AnyShopEvent = CustomerEvent | ConsentEvent | OrderEvent
ShopEvent = Annotated[AnyShopEvent, Field(discriminator="type")]

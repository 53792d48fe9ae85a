"""What Shopify sends in a person's or a shop's name: its privacy topics, and the deletion of a customer.

Told apart by their bodies, for a signature covers nothing else: a body that was caught and sent again under another
topic is what it is. https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.bounds import OrNone, OrOmitted

PREFIX = "shopify/"  # of the `event` header that a record bears, the topic follows
PRIVACY_TOPICS = ("customers/data_request", "customers/redact", "shop/redact", "customers/delete")
Duty = Literal["show", "forget", "forget the shop"]
_MOST_ORDERS = 10_000
_CUSTOMER = "gid://shopify/Customer/"
_OF_A_DELETED, _OF_A_SHOP = {"id", "admin_graphql_api_id", "tax_exemptions"}, {"shop_id", "shop_domain"}


def _digits(value: Any) -> Any:
    """A number of 64 bits, or a text, as the text by which a shop's events name it."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _absent(value: Any) -> Any:
    """Empty is not told."""
    return None if value == "" else value


Number = Annotated[str, BeforeValidator(_digits), Field(min_length=1, max_length=32, pattern=r"^[0-9]+$")]
# What cannot be a name is left out: with another one beside it the duty can be done all the same.
_Address = Annotated[OrNone[Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]], BeforeValidator(_absent)]
_Orders = Annotated[tuple[OrOmitted[Number], ...], Field(max_length=_MOST_ORDERS)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ShopifyCustomer(_Model):
    """Sometimes only an e-mail address."""

    id: OrNone[Number] = None
    email: _Address = None
    phone: _Address = None


class ShopifyMessage(_Model):
    """Any of PRIVACY_TOPICS; `shop_domain` and `id` are of those that have them."""

    model_config = ConfigDict(extra="allow")  # to see that there is nothing else in it

    shop_id: Any = None
    shop_domain: Annotated[str, Field(max_length=255)] | None = None
    customer: ShopifyCustomer | None = None
    orders_requested: OrNone[_Orders] = None
    orders_to_redact: OrNone[_Orders] = None
    data_request: Any = None
    id: Number | None = None
    admin_graphql_api_id: Annotated[str, Field(max_length=255)] | None = None
    tax_exemptions: Any = None

    @property
    def duty(self) -> Duty | None:
        """What it bids to do; None for a body of any other topic."""
        given = self.model_fields_set
        if "customer" in given:
            if "orders_to_redact" in given:
                return "forget"
            return "show" if given & {"data_request", "orders_requested"} else None
        if self.model_extra:
            return None
        if given <= _OF_A_DELETED and (self.admin_graphql_api_id or "").startswith(_CUSTOMER) and self.id:
            return "forget"
        return "forget the shop" if given <= _OF_A_SHOP and self.shop_domain else None

    @property
    def named(self) -> ShopifyCustomer:
        """Whom it is about; nobody where it is about the shop."""
        return self.customer or ShopifyCustomer(id=self.id)

    @property
    def orders(self) -> tuple[str, ...]:
        return self.orders_to_redact or self.orders_requested or ()

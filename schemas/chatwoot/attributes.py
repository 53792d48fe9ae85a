"""The contact attributes that were specified, with the types that Chatwoot shows them by.

Chatwoot stores values as they come: the type decides how an agent sees and filters them. Money is specified as text
("€2,450.00"), and Chatwoot's currency type wants numbers; a list of categories has no type of its own.
"""

from typing import Literal, NamedTuple

DisplayType = Literal["text", "number", "date", "list", "checkbox", "link"]


class Attribute(NamedTuple):
    key: str
    display_type: DisplayType
    values: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As agents read it: `Customer tier`."""
        return self.key.replace("_", " ").capitalize()


SPECIFIED = (
    Attribute("customer_tier", "list", ("Bronze", "Silver", "Gold", "Platinum")),
    Attribute("order_count", "number"),
    Attribute("total_orders", "number"),
    Attribute("total_spent", "text"),
    Attribute("average_order_value", "text"),
    Attribute("last_order_date", "date"),
    Attribute("purchase_frequency", "list", ("monthly", "quarterly", "yearly")),
    Attribute("favorite_categories", "text"),
    Attribute("preferred_language", "text"),
    Attribute("store_id", "text"),
    Attribute("store_name", "text"),
    Attribute("user_id", "text"),
    Attribute("registration_date", "date"),
    Attribute("marketing_consent", "checkbox"),
    Attribute("support_priority", "list", ("low", "medium", "high", "urgent")),
    Attribute("current_cart_value", "text"),
    Attribute("current_cart_items", "number"),
    Attribute("last_page_visited", "text"),
    Attribute("session_duration", "number"),
    Attribute("previous_tickets", "number"),
    Attribute("satisfaction_score", "number"),
    Attribute("escalation_history", "checkbox"),
    Attribute("recent_orders", "text"),
    Attribute("last_order_status", "list", ("placed", "paid", "partly refunded", "refunded", "cancelled")),
    Attribute("last_order_url", "link"),
)

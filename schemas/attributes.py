"""The specification's attributes of a contact, each with the kind under which Chatwoot shows it (facts §4.7)."""

from collections.abc import Mapping
from typing import Literal

Kind = Literal["text", "number", "date", "link", "checkbox"]

# Money is text: it is sent as the store writes it, like "€2,450.00".
KINDS: Mapping[str, Kind] = {
    "store_id": "text",
    "user_id": "text",
    "customer_tier": "text",
    "support_priority": "text",
    "order_count": "number",
    "total_spent": "text",
    "average_order_value": "text",
    "last_order_date": "date",
    "purchase_frequency": "text",
    "registration_date": "date",
    "preferred_language": "text",
    "marketing_consent": "checkbox",
    "previous_tickets": "number",
    "satisfaction_score": "number",
    "current_cart_value": "text",
    "current_cart_items": "number",
    "last_page_visited": "link",
    "session_duration": "number",
}
# Said only while somebody is talking to the person, and at most once a minute; never removed afterwards.
VOLATILE = frozenset({"current_cart_value", "current_cart_items", "last_page_visited", "session_duration"})

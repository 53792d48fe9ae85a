"""The attributes of a contact that are computed and pushed (specification, agent view; facts §4.7)."""

# What we push; how Chatwoot shows each is said in schemas/chatwoot/attributes.py.
PUSHED = frozenset(
    {
        "store_id",
        "user_id",
        "customer_tier",
        "support_priority",
        "order_count",
        "total_spent",
        "average_order_value",
        "last_order_date",
        "purchase_frequency",
        "favorite_categories",
        "recent_orders",
        "last_order_status",
        "last_order_url",
        "registration_date",
        "preferred_language",
        "marketing_consent",
        "previous_tickets",
        "satisfaction_score",
        "escalation_history",
        "current_cart_value",
        "current_cart_items",
        "last_page_visited",
        "session_duration",
    }
)
# Said only while somebody is talking to the person, and at most once a minute; never removed afterwards.
VOLATILE = frozenset({"current_cart_value", "current_cart_items", "last_page_visited", "session_duration"})

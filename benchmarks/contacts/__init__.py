"""Order events into Chatwoot: what they cost, which calls they take, and what it costs as a shop grows."""

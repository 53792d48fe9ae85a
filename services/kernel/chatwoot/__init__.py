"""How Chatwoot's API is called: paced, bounded, one account's token."""

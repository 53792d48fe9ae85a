"""Shop events → orders, what a customer spent, and who is due to be told to Chatwoot."""

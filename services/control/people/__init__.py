"""People of the stores: their roles, and the tokens that stand for them at the HTTP API."""

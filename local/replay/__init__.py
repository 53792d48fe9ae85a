"""Recorded Chatwoot traffic, posted again as Chatwoot would."""

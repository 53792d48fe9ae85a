"""Somebody is forgotten: step by step, in Chatwoot too, and again where an older database is put back."""

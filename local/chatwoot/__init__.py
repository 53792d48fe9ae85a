"""A double of Chatwoot, judged by the recordings: API, widget, platform, signed webhooks, limits."""

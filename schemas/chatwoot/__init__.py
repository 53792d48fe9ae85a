"""What Chatwoot says: webhooks and answers of its API, as seen on live servers."""

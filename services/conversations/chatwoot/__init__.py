"""What only Chatwoot's own API can tell: names, releases, history."""

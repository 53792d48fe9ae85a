"""The one sender: due people → the fewest calls to Chatwoot."""

"""What Chatwoot sends by itself: which event, with which body, signed and posted once."""

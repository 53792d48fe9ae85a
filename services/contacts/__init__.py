"""Who is who in Chatwoot, and the fewest calls that tell it what the shop knows."""

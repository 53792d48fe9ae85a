"""What a newcomer runs: the local stack, a simulated shop and its visitors, and recorded Chatwoot traffic."""

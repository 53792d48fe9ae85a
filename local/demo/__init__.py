"""What a newcomer runs: a simulated shop and its visitors, and recorded Chatwoot traffic, through everything."""

"""Three doors that take what cannot wait: Chatwoot's webhooks, the storefronts' beacons, the shops' events."""

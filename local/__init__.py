"""What only a developer's machine has, never in the wheel: servers, Chatwoot's double, recordings, the demo."""

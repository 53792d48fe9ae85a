"""What a nightly sweep costs the consumers that run beside it."""

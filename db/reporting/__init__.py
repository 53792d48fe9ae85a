"""Facts of conversations, the rows made of them, and what reports read."""

"""From facts to figures: pure, the same row whatever the order."""

"""What the double keeps, and what may happen to it."""

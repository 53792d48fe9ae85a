"""Widget events by month, how long each store keeps them, and their daily counts."""

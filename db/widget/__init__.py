"""Widget events by month, and their daily counts."""

"""What it costs to seal records, and to open them."""

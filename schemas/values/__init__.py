"""What a value may be, whatever it belongs to: as JSON, as a number, as money."""

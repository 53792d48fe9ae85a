"""What became of every record: audit, positions, adoption."""

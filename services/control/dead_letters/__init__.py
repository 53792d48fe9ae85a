"""What could not be applied: seen, mended, sent again."""

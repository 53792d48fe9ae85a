"""The stores that the doors know: in memory, asked for by name, and a sealed copy on disk."""

"""The doctor: looks at everything at once, and names for each fault its cure."""

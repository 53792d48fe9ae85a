"""The installation's keys: which there are, what each sealed, a new one, and everything sealed with it."""

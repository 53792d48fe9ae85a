"""People's rights: who was erased, what was asked, where they stand in our tables."""

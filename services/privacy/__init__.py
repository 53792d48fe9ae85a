"""People's rights: who somebody is in a store, what they may see, and how they are forgotten."""

"""Erased people: the names that a record bears, and whether it is about somebody who was erased since."""

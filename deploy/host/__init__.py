"""What an operator does on the host of compose.yaml: set up, back up, restore, upgrade. Python's own library alone."""

"""What an operator does: one verb is one function here, and a door (the command line, later HTTP) only calls it."""

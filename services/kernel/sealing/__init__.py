"""Records that only keys of their own people open: sealed at the door, opened where they are read, shredded."""

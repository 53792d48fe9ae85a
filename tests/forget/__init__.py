"""A person is forgotten: whatever is replayed, redriven, drained or put back, nothing of them is found anywhere."""

"""What people agreed to: their words as facts, and what may be kept of whom because of them."""

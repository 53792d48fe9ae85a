"""What runs on an operator's host, beside what it configures."""

"""What people who were forgotten cost those who read."""

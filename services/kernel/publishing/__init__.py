"""From a record to a topic: `Publisher` is the door."""

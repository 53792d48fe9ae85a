"""Kafka's jars: found, fetched once, held against the list."""

"""How this process talks to Kafka, whoever in it does."""

"""What is accepted while Kafka is away: on disk, sealed, and out again by itself."""

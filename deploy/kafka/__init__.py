"""Kafka's image of compose.yaml: Apache's own, and the agent by which it tells Prometheus of itself."""

"""The local stack: real Kafka and real PostgreSQL, found or started, for demo, tests, benchmarks and people."""

from demo.stack.embedded import Stack, Status, start, status, stop
from demo.stack.errors import Unavailable
from demo.stack.resolver import resolve

__all__ = ["Stack", "Status", "Unavailable", "resolve", "start", "status", "stop"]

"""The local stack: real Kafka and real PostgreSQL, found or started, for demo, tests, benchmarks and people."""

from local.stack.embedded import Stack, StackStatus, start, status, stop
from local.stack.errors import Unavailable
from local.stack.resolver import resolve

__all__ = ["Stack", "StackStatus", "Unavailable", "resolve", "start", "status", "stop"]

"""The whole pipeline under load, a process for each service."""

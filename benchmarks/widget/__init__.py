"""Widget events into rows: the service, COPY, and Quix Streams. `python -m benchmarks.widget`."""

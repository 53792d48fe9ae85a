"""What a session says while it runs, to whoever watches it."""

import sys

import pytest


def tell(config: pytest.Config, *lines: str) -> None:
    """Print to the session's own stderr. What is written there without asking is a test's, and a worker's is lost."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", *lines, sep="\n", file=sys.stderr, flush=True)

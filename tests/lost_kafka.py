"""A worker's Kafka that ended by itself: told with the last it said, started again, and its test run once more.

It is the machine's loss and no word about the test that it met. Without this the hundreds of tests that follow on that
worker would each wait for a node that is gone.
"""

import asyncio
import threading
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from local.stack.embedded import quiet
from local.stack.servers import kafka
from local.stack.servers.pair import KAFKA, start_missing
from tests.telling import tell

_LAST_LINES = 30


class Watched:
    """The worker's own Kafka, while the session holds it; else, as where it is somebody else's, `directory` is None.

    It comes back with the `properties` that it began with.
    """

    def __init__(self, properties: str) -> None:
        self.directory: Path | None = None
        self._properties = properties

    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """One test as pytest runs it; a second time, if the Kafka that it was to use is gone and it failed."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if self.directory and not kafka.server(self.directory).running():
            self._bring_back(self.directory, item)
            if any(report.failed for report in reports) and isinstance(item, pytest.Function):
                item._initrequest()
                reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _bring_back(self, directory: Path, during: pytest.Item) -> None:
        said = kafka.server(directory).log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        tell(during.config, f"Kafka in {directory} ended by itself during {during.nodeid}; it said at last:", *said)
        # On a loop of its own: the session's is not to be disturbed between two tests.
        starting = start_missing(directory, [KAFKA], progress=quiet, more=self._properties)
        again = threading.Thread(target=asyncio.run, args=(starting,))
        again.start()
        again.join()

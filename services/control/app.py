"""The operator's verbs as a service: over HTTP, for who bears the installation's token."""

from services.control import api
from services.kernel import Process


def add_to(process: Process) -> None:
    api.add_to(process)

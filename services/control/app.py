"""The operator's verbs as a service: over HTTP, for who bears the installation's token; and the look at the whole."""

from services.control import api
from services.control.inspection.inspection import Inspection
from services.kernel import Process


def add_to(process: Process) -> None:
    api.add_to(process)
    Inspection(process).start()

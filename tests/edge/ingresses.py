"""Two ingresses before which nginx stands, each to be stopped and started by itself."""

from contextlib import AsyncExitStack
from pathlib import Path

from local.stack.machine.ports import HOST, free_ports
from services.kernel import Settings
from tests.services.ingress.running import running


class Ingresses:
    """Two processes at fixed ports, each with its own spool."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.ports = free_ports(2)
        self._settings = settings
        self._folder = folder
        self._running = [AsyncExitStack(), AsyncExitStack()]

    @property
    def addresses(self) -> list[str]:
        return [f"{HOST}:{port}" for port in self.ports]

    async def start(self, number: int) -> None:
        folder = self._folder / f"ingress-{number}"
        folder.mkdir(exist_ok=True)
        more = {
            "WOOTSTREAM_HTTP_PORT": str(self.ports[number]),
            "WOOTSTREAM_PROXY_HOPS": "1",
            "WOOTSTREAM_LOG_LEVEL": "info",
        }
        await self._running[number].enter_async_context(running(self._settings, folder, "ingress", **more))

    async def stop(self, number: int) -> None:
        """By SIGTERM; it must end with 0."""
        await self._running[number].aclose()

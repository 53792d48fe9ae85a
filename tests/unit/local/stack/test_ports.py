"""Free ports: what one process has chosen no other chooses while the first still starts a server there."""

import subprocess
import sys

import pytest

from local.stack.errors import Unavailable
from local.stack.machine import ports

_CHOOSE = """
import sys
from local.stack.machine import ports
port = int(sys.argv[1])
ports._RANGE, ports._TRIES = range(port, port + 1), 1
print(*ports.free_ports(1))
"""


def _another(port: int) -> subprocess.CompletedProcess[str]:
    """Another process that has no other choice."""
    return subprocess.run([sys.executable, "-c", _CHOOSE, str(port)], capture_output=True, text=True, timeout=60)


def test_what_is_chosen_is_chosen_once_until_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    (mine,) = ports.free_ports(1)
    refused = _another(mine)
    assert "Unavailable: no free TCP port" in refused.stderr.splitlines()[-1]
    monkeypatch.setattr(ports, "_RANGE", range(mine, mine + 1))
    monkeypatch.setattr(ports, "_TRIES", 1)
    with pytest.raises(Unavailable):
        ports.free_ports(1)
    assert ports.free_ports(1, before=(mine,)) == (mine,)  # the server that had it comes back


def test_what_a_process_chose_is_free_again_when_it_ended() -> None:
    free = (port for port in range(20_000, 30_000) if ports.is_free(port))
    port = next(port for port in free if _another(port).returncode == 0)
    assert _another(port).stdout == f"{port}\n"

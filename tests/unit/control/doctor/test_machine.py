"""What the doctor sees of the machine: only what Wootstream made is judged by who may open it."""

from pathlib import Path

import pytest

from services.control.doctor import machine
from services.control.doctor.judging import installation
from services.kernel import Settings


async def _modes_judged(data_directory: Path) -> list[str]:
    seen = await machine.look(Settings(data_directory=data_directory))
    return [one.cure for one in installation.machine(seen) if one.about == "disk" and one.cure.startswith("chmod")]


@pytest.mark.parametrize("made", [(), ("data",)], ids=["nothing", "the data directory"])
async def test_a_directory_that_the_spool_is_only_yet_to_be_made_in_is_no_concern_of_ours(
    tmp_path: Path, made: tuple[str, ...]
) -> None:
    """It may be /tmp, which everybody must open, or a local stack's; the spool in it is made for us alone."""
    for one in (tmp_path, *(tmp_path / name for name in made)):
        one.mkdir(exist_ok=True)
        one.chmod(0o777)

    assert await _modes_judged(tmp_path / "data") == []


async def test_a_spool_that_every_account_may_open_is_to_be_closed(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    spool.chmod(0o755)

    assert await _modes_judged(tmp_path) == [f"chmod 0750 {spool}"]

"""The bill of materials names what the image gets, and each package's hashes."""

import re
from pathlib import Path

from local.sbom import bill

_LOCK = (Path(__file__).parents[3] / "requirements-run.lock").read_text()


def test_every_pin_that_linux_gets_is_in_it_with_its_hashes() -> None:
    components = {one["name"]: one for one in bill(_LOCK, "1.0")["components"]}
    pins = re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==[^ ]+(.*)", _LOCK, re.MULTILINE)
    left_out = {name for name, marker in pins if "win32" in marker or "python_full_version <" in marker}
    assert components.keys() >= {name for name, _ in pins} - left_out - {"async-timeout"}
    assert all(one["externalReferences"] for one in components.values())
    assert components["asyncpg"]["purl"].startswith("pkg:pypi/asyncpg@")


def test_what_only_windows_gets_is_not_in_it() -> None:
    lock = (
        'a==1 ; sys_platform == "win32" \\\n    --hash=sha256:'
        + "0" * 64
        + "\nb==2 \\\n    --hash=sha256:"
        + "1" * 64
        + "\n"
    )
    assert [one["name"] for one in bill(lock, "1.0")["components"]] == ["b"]


def test_same_lock_gives_the_same_bill() -> None:
    assert bill(_LOCK, "1.0") == bill(_LOCK, "1.0")
    assert bill(_LOCK, "1.0")["serialNumber"] != bill(_LOCK, "1.1")["serialNumber"]

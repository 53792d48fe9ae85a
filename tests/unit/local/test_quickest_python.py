"""Another build is taken only where it is the same Python and far quicker."""

from pathlib import Path

import pytest

from local.quickest_python import quickest


def _python(folder: Path, name: str, *, says: str) -> str:
    """A program that measures nothing, and says this."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("other", "taken"),
    [
        ("echo 3 11 0.05", "other"),
        ("echo 3 11 0.095", "first"),
        ("echo 3 12 0.01", "first"),
        ("exit 1", "first"),  # Debian's without python3-venv
    ],
)
def test_another_build_is_taken_where_it_is_the_same_version_and_far_quicker(
    other: str, taken: str, tmp_path: Path
) -> None:
    first = _python(tmp_path, "first", says="echo 3 11 0.1")

    assert Path(quickest(first, _python(tmp_path, "other", says=other), str(tmp_path / "absent"))).name == taken


def test_the_first_is_taken_where_none_can_be_measured(tmp_path: Path) -> None:
    assert quickest(str(tmp_path / "absent"), _python(tmp_path, "other", says="exit 1")) == str(tmp_path / "absent")

"""Where the installation's keys come from: whatever keeps them from being there is told with its cure."""

from pathlib import Path

import pytest

from services.kernel import Settings, Stop
from services.kernel.secrets import read_keys


def test_a_data_directory_that_can_hold_no_key_is_told_with_the_settings_that_cure_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Stop, match=r"file/installation\.key cannot be made or read .*_KEY_FILE"):
        read_keys(Settings(data_directory=tmp_path / "file"))


def test_an_installation_key_that_is_a_directory_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "installation.key").mkdir()

    with pytest.raises(Stop, match="Is a directory"):
        read_keys(Settings(data_directory=tmp_path))

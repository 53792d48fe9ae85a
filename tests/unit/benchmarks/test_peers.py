"""What is measured beside Go is built from sources that are here, or skipped with its reason."""

from pathlib import Path

import pytest

from benchmarks.peers import build
from benchmarks.peers.__main__ import PEERS


async def test_without_go_a_peer_is_skipped_and_the_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.NotBuilt, match="no `go`"):
        await build.built("byhand", tmp_path)


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_has_its_sources_and_the_sums_of_its_modules(name: str) -> None:
    sources = Path(build.__file__).parent / name
    assert {"main.go", "go.mod", "go.sum"} <= {one.name for one in sources.iterdir()}

"""The seed of all chance, and the verdict at the end of `make hostile`."""

import random

import pytest

from tests.hostile.verdict import Verdict

_VERDICT = pytest.StashKey[Verdict]()


def is_long(config: pytest.Config) -> bool:
    """Whether the attack was asked for by name, as `make hostile` does."""
    return any("tests/hostile" in part for part in config.invocation_params.args)


def is_timed(config: pytest.Config) -> bool:
    """Whether promises on time are judged, too: where nothing else runs on the machine."""
    return is_long(config) and not config.getoption("--untimed")


@pytest.fixture(scope="session")
def verdict(request: pytest.FixtureRequest) -> Verdict:
    """Where the attack says what it showed."""
    seed = request.config.getoption("--seed")
    found = Verdict(
        seed if seed is not None else random.SystemRandom().randrange(2**32), timed=is_timed(request.config)
    )
    request.config.stash[_VERDICT] = found
    return found


@pytest.fixture
def chance(verdict: Verdict) -> random.Random:
    """The test's chance, from the session's seed, which is printed."""
    print("seed", verdict.seed)
    return random.Random(verdict.seed)


def pytest_unconfigure(config: pytest.Config) -> None:
    """After everything that pytest itself says, so that the verdict is the last line."""
    found = config.stash.get(_VERDICT, None)
    if found is not None and is_long(config):
        print("", *found.lines(), sep="\n")

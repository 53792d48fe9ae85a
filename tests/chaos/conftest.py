"""The seed of all chance, and the verdict at the end of `make chaos`."""

import random

import pytest

from tests.chaos.verdict import Verdict

_VERDICT = pytest.StashKey[Verdict]()
_PASSED = pytest.StashKey[bool]()


def is_long(config: pytest.Config) -> bool:
    """Whether the chaos was asked for by name, as `make chaos` does."""
    return any("tests/chaos" in part for part in config.invocation_params.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("chaos") and not is_long(config):
            item.add_marker(pytest.mark.skip(reason="a long round: make chaos"))


@pytest.fixture(scope="session")
def verdict(request: pytest.FixtureRequest) -> Verdict:
    """Where rounds say what they showed."""
    found = Verdict(seed=random.SystemRandom().randrange(2**32))
    request.config.stash[_VERDICT] = found
    return found


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for a long round."""
    return is_long(request.config)


@pytest.fixture
def chance(verdict: Verdict, request: pytest.FixtureRequest) -> random.Random:
    """This test's chance, from the session's seed, which is printed."""
    print("seed", verdict.seed)
    return random.Random(f"{verdict.seed} {request.node.name}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_PASSED] = exitstatus == pytest.ExitCode.OK


def pytest_unconfigure(config: pytest.Config) -> None:
    """After everything that pytest itself says, so that the verdict is the last line."""
    found = config.stash.get(_VERDICT, None)
    if found is None or not is_long(config):
        return
    print("", *(f"chaos: {one.line()}" for one in found.rounds), sep="\n")
    print(found.line(passed=config.stash.get(_PASSED, False)))

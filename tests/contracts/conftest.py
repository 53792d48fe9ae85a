"""The recorded runs, each played against a double once."""

import pytest

from tests.contracts.replay import Played, play

# The extras were recorded on the installation that the first run had left.
SERIES = {
    "4.13.0": (("chatwoot-4.13.0", "chatwoot-4.13.0-extras"), "4.13.0"),
    "4.13.0 with bots": (("chatwoot-4.13.0-bots",), "4.13.0"),
    "3.16.0": (("chatwoot-3.16.0",), "3.16.0"),
}


# What asks for one series goes to one worker, or each would play it again.
@pytest.fixture(scope="session", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in SERIES])
async def played(request: pytest.FixtureRequest) -> Played:
    return await play(*SERIES[request.param])

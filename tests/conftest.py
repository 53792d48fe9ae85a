"""The stack of the whole test session: a real Kafka and a real PostgreSQL, found or started by the demo's resolver.

Tests share it: one PostgreSQL for all workers, a Kafka and a database for each. Each test makes stores of its own
(`tests.services.attached`), consumer groups of its own and, where records of others would disturb, topics of its own. A
test that asks for none of these fixtures starts nothing.
"""

import functools
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
import hypothesis
import pytest
import pytest_asyncio
import structlog
import yaml

from db.migrate import migrate
from db.pool import SERVICE, Pool, open_pool, use_json
from local.stack import Stack, resolve
from local.stack.embedded import borrowed, stop
from local.stack.servers import class_cache
from local.stack.servers.pair import KAFKA
from services.kernel.kafka.topics import ensure_topics
from services.kernel.settings import Settings
from tests.chaos.installation import Installation, installed_alone
from tests.databases import copied_database, empty_database, lose_with_the_machine
from tests.lost_kafka import Watched
from tests.memory import keep_in_memory
from tests.own_kafka import comes_last
from tests.session_start import begun

_LOCAL = Path(__file__).parent.parent / ".local" / "session"
_LONGEST_ID = 200
_COLLECT_AFTER = 10_000
# What nobody kills need not be missed within two seconds, nor has it work for a dozen threads, which wake to look for
# some: half of what a node costs that only waits.
_QUIET_KAFKA = """\
broker.session.timeout.ms=9000
broker.heartbeat.interval.ms=2000
num.network.threads=1
num.io.threads=2
background.threads=1
group.coordinator.threads=1
share.coordinator.threads=1
"""
_own_kafka = Watched(_QUIET_KAFKA)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=5, help="sudden deaths in a chaos test")
    parser.addoption("--examples", type=int, default=None, help="examples for each property, or hostile acts")
    parser.addoption("--per-second", type=float, default=1000.0, help="webhooks a second on three brokers")
    parser.addoption("--acts", default=None, help="names of hostile acts, separated by commas; left out: all")
    parser.addoption("--untimed", action="store_true", help="judge no times of the hostile acts: the machine is busy")
    parser.addoption("--seed", type=int, default=None, help="the seed of the hostile acts")


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # until all modules are there: what they make on the way stays
    _tell_exceptions_briefly()
    if not hasattr(config, "workerinput"):  # pytest-xdist's name for one that several workers have in common
        keep_in_memory(_LOCAL)
    # Every Chatwoot of the tests is on this machine, also for the processes that they start.
    os.environ.setdefault(Settings.variable("chatwoot_private_addresses"), "1")
    # Each new client reads every authority that the machine trusts, 20 ms; a worker makes a thousand clients.
    once = functools.cache(httpx.create_ssl_context)
    for name in ("httpx.create_ssl_context", "httpx._transports.default.create_ssl_context"):
        pytest.MonkeyPatch().setattr(name, once)
    # What YAML's own library reads in a twelfth of the time.
    pytest.MonkeyPatch().setattr("yaml.SafeLoader", yaml.CSafeLoader)
    # At each request httpcore asks for it three times, and every path is searched for what is not there.
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]
    # Two cores are shared with Kafka and PostgreSQL: an example's duration says nothing here.
    hypothesis.settings.register_profile("tests", deadline=None, print_blob=True)
    hypothesis.settings.load_profile("tests")
    if examples := config.getoption("--examples"):
        hypothesis.settings.register_profile(
            "fuzz", parent=hypothesis.settings.get_profile("tests"), max_examples=examples
        )
        hypothesis.settings.load_profile("fuzz")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Who reads the installation's topics from their beginning does so before others have filled them.
    items.sort(key=lambda item: item.get_closest_marker("from_the_beginning") is None)
    own_kafka = _has_own_kafka(Settings())
    # Of several groups pytest-xdist would make another one.
    for item in (one for one in items if not one.get_closest_marker("xdist_group")):
        if isinstance(item, pytest.Function) and (name := _group(item, own_kafka=own_kafka)):
            item.add_marker(pytest.mark.xdist_group(name))


def _group(item: pytest.Function, *, own_kafka: bool) -> str | None:
    """What makes this test share a worker with others."""
    if "servers" in item.fixturenames:
        return "the servers that may be killed"
    # Who reads the installation's own topics in the services' own groups would take records from another worker's
    # database, where several workers share one Kafka.
    if "topics" in item.fixturenames and not own_kafka:
        return "the installation's topics"
    # What a module makes for its tests, a wheel or thirty clients' requests, is made once and not by each worker.
    made = (fixtures[-1] for name, fixtures in item._fixtureinfo.name2fixturedefs.items() if not name.startswith("_"))
    return item.nodeid.partition("::")[0] if any(fixture.scope == "module" for fixture in made) else None


def pytest_collection_finish() -> None:
    """Collections walk what tests leave, not the modules of everything, which are a million objects in each worker.

    Nor is it walked once before: what little is garbage of imports may stay.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    _own_kafka.run(item, nextitem)
    return True


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A value of a megabyte would stand in the test's name, and so in every report of every worker."""
    return argname if isinstance(val, str | bytes) and len(val) > _LONGEST_ID else None


def _tell_exceptions_briefly() -> None:
    """With their traceback. Structlog's defaults draw each frame with its code and all locals, a tenth of a second."""
    structlog.reset_defaults()
    *before, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, plain])


@pytest.fixture(autouse=True)
def _logs_of_this_test() -> Iterator[None]:
    """What configures the logs in a test does so for that test: a later one must not write to its closed stderr."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    _tell_exceptions_briefly()


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How many sudden deaths a chaos test makes: `make chaos KILLS=200`."""
    return int(request.config.getoption("--kills"))


def _has_own_kafka(given: Settings) -> bool:
    """Whether each worker starts a Kafka for itself: topics and groups are then nobody else's."""
    return given.kafka_bootstrap_servers is None and given.stack != "docker"


@pytest_asyncio.fixture(scope="session")
async def stack(worker_id: str, pytestconfig: pytest.Config) -> AsyncIterator[Stack]:
    """Both servers, empty unless the environment named them; stopped with the session."""
    async with AsyncExitStack() as servers:
        yield await begun(functools.partial(_begin, worker_id), servers, pytestconfig, worker=worker_id)


async def _begin(worker_id: str, servers: AsyncExitStack) -> Stack:
    given = Settings()
    url = given.database_url.get_secret_value() if given.database_url else None
    kafka = given.kafka_bootstrap_servers
    if _has_own_kafka(given):
        await class_cache.make()
        directory = _LOCAL / worker_id / "stack"
        own = borrowed(directory, parts=[KAFKA], fresh=True, more=_QUIET_KAFKA)
        kafka = (await servers.enter_async_context(own))[KAFKA]
        _own_kafka.directory = directory
        servers.callback(setattr, _own_kafka, "directory", None)
    both = resolve(_LOCAL / "stack", kafka_bootstrap_servers=kafka, database_url=url, kind=given.stack, fresh=True)
    found = await servers.enter_async_context(both)
    if url is None:
        await lose_with_the_machine(found.database_url)
    return found


@pytest.fixture(scope="session")
def kafka(stack: Stack) -> str:
    """Kafka's host:port."""
    return stack.kafka


@pytest_asyncio.fixture(scope="session")
async def migrated(stack: Stack) -> AsyncIterator[str]:
    """The administrator's URL of a migrated database to which nobody connects: it is copied."""
    async with empty_database(stack.database_url) as url:
        await migrate(url)
        yield url


@pytest_asyncio.fixture(scope="session")
async def database_url(migrated: str) -> AsyncIterator[str]:
    """The administrator's URL of a migrated database of this session alone."""
    async with copied_database(migrated) as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def own_database(migrated: str) -> AsyncIterator[str]:
    """The administrator's URL of a migrated database of this module alone: its planner goes by all that it holds."""
    async with copied_database(migrated) as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def own_pool(own_database: str) -> AsyncIterator[Pool]:
    """Connections to it as the services have them."""
    pool = open_pool(own_database, SERVICE)
    yield pool
    await pool.close()


@pytest_asyncio.fixture(scope="session")
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections as the services have them: role wootstream_service, under row security."""
    pool = open_pool(database_url, SERVICE)
    yield pool
    await pool.close()


@pytest_asyncio.fixture(scope="session")
async def admin_pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections of the administrator, past row security: to seed and to look."""
    pool: Pool = await asyncpg.create_pool(database_url, min_size=0, max_size=4, timeout=30, init=use_json)
    yield pool
    await pool.close()


@pytest_asyncio.fixture(scope="session")
async def topics(settings: Settings) -> list[str]:
    """The installation's topics exist; their names that were new."""
    return await ensure_topics(settings)


@pytest_asyncio.fixture(scope="session")
async def servers() -> AsyncIterator[Installation]:
    """A Kafka and a PostgreSQL that may be killed. Not below pytest's own directory: each session that starts closes
    that to other users again, and PostgreSQL, which root may not run, could not come back there."""
    async with installed_alone(_LOCAL / "chaos") as installation:
        yield installation


@pytest_asyncio.fixture
async def installation(servers: Installation, request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    """A database of this test's own, beside nobody else's topics."""
    yield await servers.another_database()
    if comes_last(request, "installation"):
        await stop(servers.directory)


@pytest.fixture(scope="session")
def settings(kafka: str, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """What a process of this session's installation is told."""
    return Settings.model_validate(
        {
            "kafka_bootstrap_servers": kafka,
            "database_url": database_url,
            "data_directory": tmp_path_factory.mktemp("data"),
            "http_port": 0,
        }
    )

"""What import-linter cannot see: all SQL lives in db, and one place reads the environment."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import services

_SERVICES = Path(services.__file__).parent
_ASKS = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "copy_records_to_table"}
# The spool's own file is SQLite, and its SQL goes with it.
_SPOOL = "spool"


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Every call in the services, with its module."""
    for path in sorted(_SERVICES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path, node


def test_services_ask_postgresql_through_db_alone() -> None:
    asking = {
        f"{path}:{one.lineno}"
        for path, one in calls()
        if isinstance(one.func, ast.Attribute) and one.func.attr in _ASKS and path.parent.name != _SPOOL
    }
    assert asking == set()


def test_one_function_reads_the_environment() -> None:
    """A variable that cannot be read is one sentence there, and pydantic's traceback anywhere else."""
    reading = {
        path.name
        for path, one in calls()
        if isinstance(one.func, ast.Name) and one.func.id == "Settings" and not one.args
        and not one.keywords
    }  # fmt: skip
    assert reading == {"environment.py"}


def test_pythons_runs_no_test_that_needs_a_server() -> None:
    """As its sentence in the Makefile says."""
    root = _SERVICES.parent
    (line,) = (one for one in (root / "Makefile").read_text().splitlines() if "no:cacheprovider" in one)
    servers = re.compile(r"\b(admin_pool|migrated): |usefixtures\(\"topics\"\)")
    needing = {
        str(path.relative_to(root))
        for folder in ("unit", "docs")
        for path in (root / "tests" / folder).rglob("test_*.py")
        if path != Path(__file__) and servers.search(path.read_text())
    }
    assert needing == set(re.findall(r"--ignore (\S+\.py)", line))

"""What a page names in backticks or types in a command is there: names of the code, targets of make, modules, paths."""

import functools
import re
import subprocess
from pathlib import Path

import pytest

from services.kernel import Settings
from tests.docs.reading import ROOT, pages_of_today, spans

# A log event, metric, column or reason; a setting; an alert: all are of several words.
_NAME = re.compile(r"(?<![\w/-])(?:[a-z]+(?:_[a-z0-9]+)+|[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+|(?:[A-Z][a-z]+){3,})(?![\w-])")
# What Prometheus' client appends.
_SUFFIX = re.compile(r"_(?:total|bucket|sum|count|info)$")
# Of Kafka, PostgreSQL, OpenSSL and systemd, which people read and type and our code has no need of.
_FOREIGN = {"LogDirFailureChannel", "pg_dumpall", "pg_replication_slots", "s_client", "SystemMaxUse"}
_SOURCES = ("*.py", "*.sql", "*.yaml", "*.toml", "*.sh", "*.template", "Makefile", "deploy/*", "local/image/*")
_FOLDERS = ("benchmarks", "db", "deploy", "docs", "k8s", "local", "schemas", "services", "tests")
_PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(_FOLDERS)})/[\w./-]*\w")
_MODULE = re.compile(rf"python -m ((?:{'|'.join(_FOLDERS)})[\w.]*)")
PAGES = pages_of_today()
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@functools.cache
def names_of_the_code() -> frozenset[str]:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *_SOURCES, ":!:tests/docs"],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout  # fmt: skip
    texts = [(ROOT / name).read_text(errors="replace") for name in listed.splitlines()]
    variables = {Settings.variable(name) for name in Settings.model_fields}
    return frozenset(name for text in texts for name in _NAME.findall(text)) | variables | _FOREIGN


@each_page
def test_names_are_the_codes_own(page: Path) -> None:
    named = {name for span in spans(page.read_text()) for name in _NAME.findall(span)}
    known = names_of_the_code()
    assert {name for name in named if name not in known and _SUFFIX.sub("", name) not in known} == set()


@each_page
def test_paths_and_modules_are_there(page: Path) -> None:
    paths = {
        path for span in spans(page.read_text()) for path in _PATH.findall(span) if "NNNN" not in path
    }  # any number
    modules = {name for name in _MODULE.findall(page.read_text()) if not _is_module(name)}
    assert {path for path in paths if not (ROOT / path).exists()} | modules == set()


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()


def test_targets_of_make_are_there() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name for page in PAGES for span in spans(page.read_text()) for name in re.findall(r"\bmake ([a-z0-9]+)", span)
    }
    assert len(named) > 15
    assert named <= targets


def test_a_name_that_has_gone_is_noticed() -> None:
    named = _NAME.findall("the log event spool_waits_for_kafka, WOOTSTREAM_SPOOL_SIZE, SpoolIsFilled, spool_fills")
    assert set(named) - names_of_the_code() == {"spool_waits_for_kafka", "WOOTSTREAM_SPOOL_SIZE", "SpoolIsFilled"}

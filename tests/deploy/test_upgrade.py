"""Checks, a verified backup, migrations, one service after the other; back to what ran where any of it fails."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.chaos.installation import Installation
from tests.deploy.host import Host, host_of

# What is asked, in which order, and what is undone; `make image` upgrades a whole system.
_WELL = {"severity": "ok", "about": "PostgreSQL", "store": None, "seen": "17", "cure": ""}
_AWAY = {"severity": "fault", "about": "Chatwoot x", "store": None, "seen": "is away", "cure": "start it"}
_ODD = {"severity": "fault", "about": "migrations", "store": None, "seen": "2 are missing", "cure": "run it"}
_SAID = {
    "doctor": json.dumps({"findings": [_WELL, _AWAY]}),
    "migrate": "nothing to do",
    "topics": "all there",
    "audit": '{"clean": true, "in_flight": 0}',
}


@pytest_asyncio.fixture
async def host(installation: Installation, tmp_path: Path) -> AsyncIterator[Host]:
    async with host_of(installation, tmp_path, said=_SAID) as running:
        yield running


def _changes(host: Host) -> list[str]:
    """What was asked of compose that changes something, without the options."""
    said = [" ".join(one for one in call if not one.startswith("-")) for call in host.calls()[1:]]
    return [one for one in said if one.split()[0] in ("build", "run", "stop", "up") and "verb" not in one]


def _version(host: Host) -> str:
    return (host.folder / ".env").read_text().partition("WOOTSTREAM_VERSION=")[2].split()[0]


async def test_upgrade_rolls_one_after_the_other_and_goes_back_where_it_fails(host: Host) -> None:
    workers = "up conversations widget customers contacts control"
    rolled = ["up ingress-1", "up ingress-2", workers]

    up = await host.deploy("upgrade", "2.0")
    assert up.code == 0, up.err
    assert (_version(host), _changes(host)) == ("2.0", ["build migrate kafka", "run migrate", "run topics", *rolled])
    assert len([*(host.folder / "backups").iterdir()]) == 1

    host.fails_once("up")
    begun = len(_changes(host))
    back = await host.deploy("upgrade", "3.0")
    assert back.code == 2
    assert back.err.endswith(
        "3.0 does not run here, and 2.0 runs again: `up --detach --no-deps --wait ingress-1` failed: up is told to fail"
    )
    assert (_version(host), _changes(host)[begun:][-3:]) == ("2.0", rolled)


async def test_where_going_back_fails_too_both_reasons_are_said(host: Host) -> None:
    host.fails_once("topics")
    host.fails_once("conversations")
    lost = await host.deploy("upgrade", "2.0")
    assert (lost.code, _version(host)) == (2, "1.0")
    assert "topics` failed: topics is told to fail; nor is 1.0 back (`up" in lost.err


async def test_nothing_is_changed_where_there_would_be_nothing_to_go_back_to(host: Host) -> None:
    """An image of the release that runs would be made anew, under its own name."""
    same, odd = await host.deploy("upgrade", "1.0"), await host.deploy("upgrade", "main branch")
    assert (same.code, odd.code, _changes(host)) == (2, 2, [])
    assert same.err.startswith("upgrade: 1.0 is what runs")
    assert "'main branch' is no name of a release: say one like 1.0" in odd.err
    assert [*(host.folder / "backups").iterdir()] == []


async def test_nothing_is_changed_where_the_doctor_names_a_fault_of_the_installation(host: Host) -> None:
    path = host.folder / "state" / "settings.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps(state | {"said": _SAID | {"doctor": json.dumps({"findings": [_WELL, _ODD]})}}))
    refused = await host.deploy("upgrade", "2.0")
    assert (refused.code, _version(host), _changes(host)) == (2, "1.0", [])
    assert refused.err == "upgrade: `wootstream doctor` names what to mend first: migrations 2 are missing: run it"


async def test_nothing_is_changed_where_the_new_release_needs_what_setup_has_not_made_yet(host: Host) -> None:
    (host.folder / "secrets" / "dashboards_password").unlink()
    refused = await host.deploy("upgrade", "2.0")
    assert (refused.code, _version(host), _changes(host)) == (2, "1.0", [])
    assert "dashboards_password missing or empty: run deploy/setup again" in refused.err


async def test_nothing_is_changed_where_the_audit_is_not_clean_before(host: Host) -> None:
    """Or the new release would be taken back for what the old one had lost."""
    path = host.folder / "state" / "settings.json"
    state = json.loads(path.read_text())
    lost = {"audit": '{"clean": false, "missing": 3, "in_flight": 0}'}
    path.write_text(json.dumps(state | {"said": _SAID | lost}))
    refused = await host.deploy("upgrade", "2.0")
    assert (refused.code, _version(host), _changes(host)) == (2, "1.0", [])
    assert "the audit is not clean before the upgrade (3 missing)" in refused.err


async def test_nothing_is_changed_where_the_backup_fails(host: Host) -> None:
    host.fails_once("pg_dump")
    refused = await host.deploy("upgrade", "2.0")
    assert (refused.code, _version(host), _changes(host)) == (2, "1.0", [])
    assert [path for path in (host.folder / "backups").iterdir() if not path.name.startswith(".")] == []

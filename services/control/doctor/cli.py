"""`wootstream doctor`: a table for people, JSON for scripts, an exit code for both."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

import typer

from services.control.doctor.checkup import check
from services.control.doctor.finding import Finding, Severity, gravest
from services.kernel.cli.environment import as_far_as_known
from services.kernel.cli.terminal import Json, print_json, show
from services.kernel.telemetry.logs import configure_logs

_COLUMNS = ("", "about", "store", "seen", "cure")
_STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.FAULT: "bold red"}


def doctor(as_json: Json = False) -> None:
    """Look at everything at once: servers, topics, roles, disk, keys, clocks, each store's Chatwoot; name each cure.

    Exit 0 where all is well, 1 with warnings, 3 with faults. Nothing is changed.
    """
    settings = as_far_as_known()
    configure_logs("error", settings.log_format)
    findings = asyncio.run(check(settings))
    grave = gravest(findings)
    if as_json:
        print_json({"verdict": grave.name.lower(), "findings": [_plain(one) for one in findings]})
    else:
        _print(findings)
    raise typer.Exit(grave)


def _plain(one: Finding) -> dict[str, object]:
    return asdict(one) | {"severity": one.severity.name.lower()}


def _print(findings: Sequence[Finding]) -> None:
    show(_COLUMNS, [
        (one.severity.name.lower(), one.about, one.store, one.seen, one.cure) for one in findings
    ], footer=_sum(findings), styles=[_STYLES[one.severity] for one in findings])  # fmt: skip


def _sum(findings: Sequence[Finding]) -> str:
    counts = {grave: sum(one.severity is grave for one in findings) for grave in Severity}
    if gravest(findings) is Severity.OK:
        return f"all is well: {counts[Severity.OK]} things were looked at"
    return f"{counts[Severity.FAULT]} faults, {counts[Severity.WARNING]} warnings, {counts[Severity.OK]} well"

"""The audit in a person's words: a table, each missing range by name, and what to do about it."""

from collections.abc import Iterator

from services.control.ledger.answer import Audit, AuditLine, SpooledFile
from services.kernel.cli.terminal import show
from services.kernel.printable import utc

_COUNTS = ("consumed", "applied", "duplicate", "ignored", "dead", "lost", "hollow", "redelivered")
COLUMNS = ("group", "topic", "partition", *_COUNTS, "next", "end", "in flight")


def row(line: AuditLine) -> tuple[object, ...]:
    """One line of the table."""
    counts = (getattr(line, name) for name in _COUNTS)
    group = line.group or "(nobody yet)"
    return (group, line.topic, line.partition, *counts, line.next_offset, line.end_offset, line.in_flight)


def show_audit(audit: Audit) -> None:
    """Print all that holds anything; the last line is the verdict."""
    shown = [line for line in audit.lines if _says_something(line)]
    empty = len(audit.lines) - len(shown)
    left_out = [f"left out: {empty} that hold no record"] if empty else []
    footer = ["", *left_out, *findings(audit), verdict(audit)]
    show(COLUMNS, [row(line) for line in shown], footer="\n".join(footer))


def _says_something(line: AuditLine) -> bool:
    return bool(line.next_offset or line.end_offset or line.truncated or line.halted)


def verdict(audit: Audit) -> str:
    """One sentence."""
    state = "clean" if audit.clean else "NOT CLEAN"
    halted = f", {len(audit.halted)} partitions halted" if audit.halted else ""
    unread = f", nobody consumes {len(audit.unread)} partitions" if audit.unread else ""
    waiting = f", {audit.in_spools} in spools" if audit.spooled else ""
    undrained = ", which nobody drains" if audit.undrained else ""
    aside = f", {audit.not_delivered} not delivered" if audit.undelivered else ""
    return f"{state}: {audit.missing} missing, {audit.in_flight} in flight{waiting}{undrained}{aside}{halted}{unread}"


def findings(audit: Audit) -> Iterator[str]:
    """Each range that is missing and each partition that stands still, with the cure where there is one."""
    for loss in audit.losses:
        yield (
            f"lost: {loss.group} never read {loss.topic} {loss.partition}, offsets {loss.first_offset} to "
            f"{loss.next_offset - 1}: gone before it came there (noticed {utc(loss.noticed_at)})"
        )
    for one in audit.undelivered:
        yield (
            f"not delivered: {one.records} accepted records for {one.topic or 'an unreadable topic'} (the oldest of "
            f"{utc(one.oldest_at)}) lie aside in {one.directory}/{one.file} on {one.host}: {one.reason}; "
            "look there with `wootstream spool status`, then export or discard them"
        )
    yield from map(_in_spool, audit.spooled)
    for line in audit.lines:
        place = f"{line.topic} {line.partition}"
        if line.unreachable and line.next_offset is not None:
            last = line.next_offset + line.unreachable - 1
            yield (
                f"gone: {place}, offsets {line.next_offset} to {last}: the log begins after them, "
                f"{line.group} has not noticed yet; run its service"
            )
        if line.truncated:
            yield (
                f"truncated: {place} ends at {line.end_offset}, but {line.truncated} records beyond it were "
                f"acknowledged and never read by {line.group or 'anybody'}{_writing_off(line)}"
            )
        if line.halted:
            yield f"halted: {line.group} on {place}: {line.halted}; {cure(line)}"

    for line in audit.unread:
        yield (
            f"unread: {line.in_flight} records wait in {line.topic} {line.partition} for {line.group or 'anybody'}, "
            f"the oldest for {line.unread_seconds} s: see that `wootstream run` runs its service, /ready and its log"
        )


def _in_spool(one: SpooledFile) -> str:
    """How long, where, and what to do if nobody drains it."""
    where = f"{one.directory}/{one.file} on {one.host}"
    waits = f"{one.records} accepted records wait for Kafka in {where}, the oldest for {one.oldest_seconds} s"
    if one.abandoned:
        return f"spooled: {waits}; its ingress has been silent for {one.told_seconds} s: start one on that directory"
    if one.undrained:
        return f"spooled: {waits}; nothing of it was drained for {one.still_seconds} s: read that ingress's log"
    return f"spooled: {waits}; it is being drained"


def cure(line: AuditLine) -> str:
    """The command that lets a halted partition go on."""
    return f"look with `wootstream offsets adopt {_place(line)} --dry-run`, then leave --dry-run out"


def _writing_off(line: AuditLine) -> str:
    """How a truncation becomes a loss in the books, so that the next one is seen."""
    if line.group is None or line.halted:
        return ""
    return f"; write them off with `wootstream offsets adopt {_place(line)} --at {line.next_offset}`"


def _place(line: AuditLine) -> str:
    return f"--group {line.group} --topic {line.topic} --partition {line.partition}"

"""What a store keeps for how long: shown, and said anew."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from db.pool import PRIVACY, scoped
from db.privacy import retention as table
from db.privacy import sweeping
from schemas.values.retention import RETENTION, RetentionKind
from services.kernel import Process, Refusal
from services.kernel.actor import note


class KeptKind(NamedTuple):
    """One kind in one store. `since` is from when on it is kept, None until the first sweep."""

    kind: str
    what: str
    days: int
    said_by: str  # store or release
    since: datetime | None
    swept_at: datetime | None
    in_chatwoot: bool | None  # None where Chatwoot has nothing of it


class RetentionChange(NamedTuple):
    """What a store said, and how much the next sweep finds too old: a million at most, None where none is counted.

    `held`: of that stays what names somebody whom the law bids to keep."""

    kind: str
    days: int
    in_chatwoot: bool | None
    keeps_since: datetime
    leaves: int | None
    dry_run: bool
    held: bool


def kind_named(text: str) -> RetentionKind:
    """Raises Refusal."""
    found = next((one for one in RETENTION if one == text.replace("-", "_")), None)
    if found is None:
        raise Refusal(f"{text[:40]!r} is no kind; there are: {', '.join(RETENTION)}")
    return found


async def kept(process: Process, store: UUID) -> list[KeptKind]:
    """Every kind."""
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        rows = await table.of_store(conn, store)
    return [_kept(kind, rows.get(kind)) for kind in RETENTION]


def _kept(kind: RetentionKind, row: Any) -> KeptKind:
    said = row and row["days"]
    return KeptKind(
        kind,
        RETENTION[kind].what,
        said or RETENTION[kind].days,
        "store" if said else "release",
        row and row["since"],
        row and row["swept_at"],
        bool(row and row["in_chatwoot"]) if kind == "chat" else None,
    )


async def keep(
    process: Process,
    store: UUID,
    kind: RetentionKind,
    days: int,
    *,
    in_chatwoot: bool | None = None,
    dry_run: bool = False,
) -> RetentionChange:
    """Let the store keep a kind for so many days, or only say what that would do. Raises Refusal."""
    rule = RETENTION[kind]
    if rule.fewest == rule.most:
        raise Refusal(f"{kind} are kept for {rule.days} days: {rule.what}")
    if not rule.fewest <= days <= rule.most:
        raise Refusal(f"{kind} can be kept for {rule.fewest} to {rule.most} days")
    if in_chatwoot is not None and kind != "chat":
        raise Refusal("only conversations are Chatwoot's, too: say so of chat")
    async with scoped(process.pool(PRIVACY), {store}) as conn:
        since = await table.would_be(conn, store, kind, days, process.clock.now())
        held = kind != "audit_log" and bool(await table.held(conn, store))
        all_stay = held and kind == "dead_letters"
        leaves = 0 if all_stay else await sweeping.older(conn, store, kind, since)
        if not dry_run:
            await table.keep(conn, store, kind, days, in_chatwoot=in_chatwoot)
            also = {None: "", True: ", in Chatwoot, too", False: ", not in Chatwoot"}[in_chatwoot]
            await note(conn, "privacy retention set", store=store, thing=f"{kind}: {days} days{also}")
    return RetentionChange(kind, days, in_chatwoot, since, leaves, dry_run, held)

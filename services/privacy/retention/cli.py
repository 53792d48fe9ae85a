"""`wootstream privacy retention …`: how long a store keeps what."""

from typing import Annotated

import typer

from db.privacy.sweeping import MOST_COUNTED
from schemas.values.retention import RETENTION
from services.kernel.cli.terminal import Json, print_json, show
from services.kernel.printable import utc
from services.privacy.cli import StoreName, with_store
from services.privacy.retention import kept_kinds
from services.privacy.retention.kept_kinds import RetentionChange

app = typer.Typer(no_args_is_help=True, help="How long a store keeps what; what is older leaves nightly.")
KindName = Annotated[str, typer.Argument(help=f"of: {', '.join(RETENTION)}")]
Days = Annotated[int, typer.Argument(help="how many; `show` says the bounds")]
AlsoInChatwoot = Annotated[
    bool | None,
    typer.Option("--in-chatwoot/--not-in-chatwoot", help="of chat: delete there, too; left out: as it was"),
]


def add_to(root: typer.Typer) -> None:
    """Register the verbs of this room."""
    root.add_typer(app, name="retention")


@app.command(name="show")
def show_(store: StoreName, as_json: Json = False) -> None:
    """How long a store keeps each kind, and when everything older had last left."""
    kinds = with_store(store, kept_kinds.kept)
    if as_json:
        print_json([one._asdict() for one in kinds])
        return
    show(("kind", "days", "said by", "between", "kept since", "swept", "in Chatwoot", "what"),
         [(one.kind, one.days, one.said_by, _bounds(one.kind),
           one.since and utc(one.since), one.swept_at and utc(one.swept_at),
           {None: None, True: "yes", False: "no"}[one.in_chatwoot], one.what) for one in kinds])  # fmt: skip


@app.command(name="set")
def set_(
    store: StoreName,
    kind: KindName,
    days: Days,
    in_chatwoot: AlsoInChatwoot = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say how much the next sweep would delete")] = False,
    as_json: Json = False,
) -> None:
    """Let a store keep a kind for so many days. What has left does not come back."""
    named = kept_kinds.kind_named(kind)
    change = with_store(
        store,
        lambda process, id_: kept_kinds.keep(process, id_, named, days, in_chatwoot=in_chatwoot, dry_run=dry_run),
    )
    if as_json:
        print_json(change._asdict())
        return
    print(f"{store} {'would keep' if dry_run else 'keeps'} {named} for {days} days: since {utc(change.keeps_since)}")
    if change.leaves is not None:
        print(_leaving(change))


def _leaving(change: RetentionChange) -> str:
    most = "at least " if change.leaves == MOST_COUNTED else ""
    but = "; of these stays what names somebody whom the law bids to keep (`privacy hold`)" if change.held else ""
    return f"the next sweep {'would find' if change.dry_run else 'finds'} {most}{change.leaves:,} too old{but}"


def _bounds(kind: str) -> str:
    rule = RETENTION[kept_kinds.kind_named(kind)]
    return f"{rule.fewest} and {rule.most}"

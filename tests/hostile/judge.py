"""What became of the honest store under the attack, held against what was promised."""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from services.control.ledger.audit import audit
from tests.chaos.running import nothing_in_flight
from tests.eventually import eventually
from tests.hostile.honest import CUSTOMERS, Door, Sent, customer_of
from tests.hostile.scene import Attack, Scene, Span
from tests.services.attached import ACCOUNT_ID

MOST_BYTES = 300 * 2**20
MOST_RATIO = 2.0
_LATE_SECONDS = 2.0
_MOST_LOGGED = 20
_FEWEST = 20  # of fewer waits nobody can tell the longest of a hundred
_SETTLE_SECONDS = 60.0
_EXPECTED = ("done", "cut short: ConnectionRefusedError")  # the second where the process has ended, which is judged
_STORED: Mapping[Door, str] = {
    "webhooks": "select message_id::text as name, stored_at from wootstream.messages where organization_id = $1",
    "events": "select order_id as name, stored_at from wootstream.orders where organization_id = $1",
    "beacons": "select id::text as name, stored_at from public.chatwoot_widget_events where organization_id = $1",
}
_LETTERS = """
select organization_id = $1 as honest, kind, consumer_group, reason, count(*) from wootstream.dead_letters
group by 1, 2, 3, 4 order by 5 desc
"""


@dataclass(frozen=True)
class Judgement:
    """Each field is a promise; `broken` names those that did not hold."""

    acts: int
    sent: int
    refused: dict[int, int]
    lost: list[str]
    late: int
    untold: list[str]  # customers of whom Chatwoot does not hold what it should
    calm_p99: float
    attacked_p99: float
    ended_during: list[str] | None
    peak_bytes: int
    server_errors: dict[str, dict[int, int]]
    honest_letters: list[str]
    bugs: list[str]
    audit_faults: list[str]
    act_faults: list[str]
    # No promises, but where to look: errors of the system's log, and acts under way when answers were slowest.
    logged: dict[str, int]
    by_act: dict[str, float]  # the p99 of what was under way beside it, the longest first
    weighted: bool  # whether the doors, Kafka and the honest sender came before others on this machine

    @property
    def ratio(self) -> float:
        return self.attacked_p99 / self.calm_p99

    @property
    def compared(self) -> str:
        """What stands on both sides of the ratio."""
        first = "the doors, Kafka and the honest sender before all others, " if self.weighted else ""
        return (
            f"p99 between waves of acts, a core kept busy in the attacker's stead, against p99 in the waves; {first}"
            "the attacker behind all others"
        )

    def broken(self, *, timed: bool) -> dict[str, Any]:
        """What was promised and does not hold; of the promises on time only where the machine was ours."""
        promises: dict[str, Any] = {
            "refused": self.refused,
            "lost": self.lost,
            "untold": self.untold,
            "process ended during": self.ended_during,
            "memory in MiB": self.peak_bytes // 2**20 if self.peak_bytes >= MOST_BYTES else 0,
            "answers of 5xx": self.server_errors,
            "dead letters of the honest store": self.honest_letters,
            "dead letters of kind bug": self.bugs,
            "audit": self.audit_faults,
            "acts that cannot run": self.act_faults,
        }
        if timed:
            promises |= {"late": self.late, "p99 ratio": self.ratio if self.ratio >= MOST_RATIO else 0}
        return {name: found for name, found in promises.items() if found or (isinstance(found, list) and found != [])}

    def line(self, *, timed: bool) -> str:
        """The verdict."""
        figures = (
            f"{self.acts} acts, {sum(self.refused.values())} refused, {len(self.lost)} lost, {self.late} late of"
            f" {self.sent} honest requests, p99 {self.calm_p99 * 1000:.1f} → {self.attacked_p99 * 1000:.1f} ms"
            f" (x {self.ratio:.2f}{self._worst}), {self.peak_bytes // 2**20} MiB"
        )
        broken = self.broken(timed=timed)
        return f"hostile: {figures}: " + (f"NOT CLEAN: {', '.join(broken)}" if broken else "clean")

    @property
    def _worst(self) -> str:
        return next((f", worst beside {name}: {p99 * 1000:.1f} ms" for name, p99 in self.by_act.items()), "")


async def judge(scene: Scene) -> Judgement:
    """Once everything that was accepted had the time to come to its rows. A process that ended had none, so that of its
    records none is called lost."""
    sent, runs = scene.honest.sent, scene.ended_during is None
    faults = await _audited(scene) if runs else []
    untold = await _untold(scene) if runs else []
    stored = await _stored(scene)
    accepted = [one for one in sent if one.status == 204]
    async with scene.admin.acquire() as conn:
        letters = [dict(row) for row in await conn.fetch(_LETTERS, scene.honest.shop.id)]
    return Judgement(
        acts=scene.attack.acts.total(),
        sent=len(sent),
        refused=dict(Counter(one.status for one in sent if one.status != 204)),
        lost=[f"{one.door} {one.name}" for one in accepted if runs and (one.door, one.name) not in stored],
        late=sum(_is_late(one, stored.get((one.door, one.name))) for one in accepted),
        untold=untold,
        calm_p99=p99(within(sent, scene.calm)),
        attacked_p99=p99(within(sent, scene.waves)),
        ended_during=scene.ended_during,
        peak_bytes=scene.peak_bytes,
        server_errors=scene.attack.server_errors,
        honest_letters=[_letter(one) for one in letters if one["honest"]],
        bugs=[_letter(one) for one in letters if one["kind"] == "bug"],
        audit_faults=faults,
        act_faults=scene.attack.faults,
        logged=_logged(b"\n".join(worker.log.read_bytes() for worker in scene.workers)),
        by_act=by_act(sent, scene.attack.spans.values()),
        weighted=scene.weighted,
    )


def cut_short(attack: Attack) -> dict[str, dict[str, int]]:
    """Acts that did not come to their end: the system hung up, or did not answer in their time."""
    odd = {name: {how: n for how, n in ends.items() if how not in _EXPECTED} for name, ends in attack.ends.items()}
    return {name: ends for name, ends in odd.items() if ends}


async def _audited(scene: Scene) -> list[str]:
    """What the audit says beside "everything that was accepted was read, and nothing is missing"."""
    with contextlib.suppress(AssertionError):
        await nothing_in_flight(scene.installation, seconds=_SETTLE_SECONDS)
    seen = await audit(scene.installation.settings)
    faults = {"missing": seen.missing, "in flight": seen.in_flight, "halted": len(seen.halted)}
    faults["in spools that nobody drains"] = sum(one.records for one in seen.undrained)
    dead = sum(line.dead for line in seen.lines)
    async with scene.admin.acquire() as conn:
        letters = await conn.fetchval("select count(*) from wootstream.dead_letters")
    faults["dead, but without a letter"] = dead - letters
    return [f"{count} {name}" for name, count in faults.items() if count]


async def _stored(scene: Scene) -> dict[tuple[Door, str], datetime]:
    async with scene.admin.acquire() as conn:
        rows = {door: await conn.fetch(query, scene.honest.shop.id) for door, query in _STORED.items()}
    return {(door, row["name"]): row["stored_at"] for door, some in rows.items() for row in some}


def _is_late(one: Sent, stored: datetime | None) -> bool:
    """From the moment it was due, answer and row together."""
    return stored is not None and (stored - one.due).total_seconds() > _LATE_SECONDS


async def _untold(scene: Scene) -> list[str]:
    """Whose orders Chatwoot does not know, although it was given time."""
    contacts = scene.double.state.contacts[ACCOUNT_ID]

    def untold() -> list[str]:
        held = {customer_of(n): contacts[n + 1].custom_attributes.get("order_count", 0) for n in range(CUSTOMERS)}
        least, most = scene.honest.accepted_orders(), scene.honest.possible_orders()
        return [f"{one}: {n}, not {least[one]}" for one, n in held.items() if not least[one] <= n <= most[one]]

    with contextlib.suppress(AssertionError):
        await eventually(lambda: not untold(), seconds=_SETTLE_SECONDS)
    return untold()


def p99(sent: Sequence[Sent]) -> float:
    """How long the longest of a hundred took."""
    waits = sorted(one.seconds for one in sent)
    return waits[int(len(waits) * 0.99)]


def within(sent: Iterable[Sent], spans: Sequence[Span]) -> list[Sent]:
    """What was due in one of these."""
    return [one for one in sent if any(span.begin <= one.due <= span.end for span in spans)]


def by_act(sent: Iterable[Sent], spans: Iterable[Span]) -> dict[str, float]:
    """Act → the p99 of what was under way while it was, the longest first."""
    acts: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        acts[span.name].append(span)
    beside = {name: [one for one in sent if any(_meet(one, span) for span in some)] for name, some in acts.items()}
    found = {name: p99(some) for name, some in beside.items() if len(some) >= _FEWEST}
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def _meet(one: Sent, span: Span) -> bool:
    return span.begin <= one.due + timedelta(seconds=one.seconds) and one.due <= span.end


def _letter(row: Mapping[str, Any]) -> str:
    return f"{row['count']} x {row['consumer_group']}: {row['reason'][:300]}"


def _logged(log: bytes) -> dict[str, int]:
    """What was logged as an error, without the moments, and how often."""
    found: Counter[str] = Counter()
    for line in filter(None, log.splitlines()):
        if b'"level": "error"' in line or not line.startswith(b"{"):
            entry = orjson.loads(line) if line.startswith(b"{") else {"event": line.decode(errors="replace")}
            found[f"{entry['event']}: {entry.get('error') or entry.get('reason') or entry.get('exception')}"[:500]] += 1
    return dict(found.most_common(_MOST_LOGGED))

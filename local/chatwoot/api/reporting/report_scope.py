"""Of whom a report is: everything that it reckons with, chosen by account, agent, inbox, label or team and by span."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from local.chatwoot.api.routing import ApiCall
from local.chatwoot.errors import crash, not_found, unprocessable
from local.chatwoot.model.rows import Account, Conversation, Message, ReportedEvent, User

_NEXT: dict[str, Callable[[datetime], datetime]] = {
    "hour": lambda start: start + timedelta(hours=1),
    "day": lambda start: start + timedelta(days=1),
    "month": lambda start: (start + timedelta(days=32)).replace(day=1),
    "year": lambda start: start.replace(year=start.year + 1),
}


@dataclass(frozen=True, slots=True)
class ReportSpan:
    """Half open, as `since` and `until` say in unix seconds."""

    since: datetime
    until: datetime

    def holds(self, moment: datetime) -> bool:
        return self.since <= moment < self.until

    def before(self) -> "ReportSpan":
        """As long, just before."""
        return ReportSpan(self.since - (self.until - self.since), self.since)


@dataclass(frozen=True, slots=True)
class ReportScope:
    """`chosen` says whether a conversation belongs; messages and notes of an agent are those that bear their id."""

    account: Account
    chosen: Callable[[Conversation], bool]
    agent: int | None = None

    def conversations(self, span: ReportSpan) -> list[Conversation]:
        rows = self.account.conversations.values()
        return [row for row in rows if span.holds(row.created_at) and self.chosen(row)]

    def messages(self, span: ReportSpan, kind: str) -> list[Message]:
        return [
            one
            for row in self.account.conversations.values()
            for one in row.messages
            if one.message_type == kind and span.holds(one.created_at) and self._is_of(row, one.sender)
        ]

    def notes(self, span: ReportSpan, name: str) -> list[ReportedEvent]:
        """What was noted of conversations that are still there."""
        return [
            one
            for one in self.account.reported
            if one.name == name and span.holds(one.created_at) and self._is_noted(one)
        ]

    def _is_of(self, row: Conversation, sender: object) -> bool:
        return self.chosen(row) if self.agent is None else isinstance(sender, User) and sender.id == self.agent

    def _is_noted(self, one: ReportedEvent) -> bool:
        row = self.account.conversations.get(one.conversation_id)
        return row is not None and (self.chosen(row) if self.agent is None else one.user_id == self.agent)


def of_account(account: Account) -> ReportScope:
    return ReportScope(account, lambda row: True)


def of_agent(account: Account, number: int) -> ReportScope:
    return ReportScope(account, lambda row: row.assignee_id == number, agent=number)


def of_inbox(account: Account, number: int) -> ReportScope:
    return ReportScope(account, lambda row: row.inbox_id == number)


def of_team(account: Account, number: int) -> ReportScope:
    return ReportScope(account, lambda row: row.team_id == number)


def _of_label(account: Account, number: int) -> ReportScope:
    title = (account.labels.get(number) or not_found())["title"]
    return ReportScope(account, lambda row: title in row.label_list)


_BY_TYPE = {"agent": of_agent, "inbox": of_inbox, "team": of_team, "label": _of_label}


def scope_of(call: ApiCall) -> ReportScope:
    """By `type` and `id`; without a type Chatwoot crashes, as recorded."""
    kind = call.query("type")
    if kind == "account":
        return of_account(call.account)
    return _BY_TYPE[kind](call.account, int(call.query("id", "0"))) if kind in _BY_TYPE else crash()


def span_of(call: ApiCall) -> ReportSpan:
    """As asked; a day from now on back where nothing is asked."""
    now = call.state.now()
    since = call.query("since", str((now - timedelta(days=1)).timestamp()))
    until = call.query("until", str(now.timestamp()))
    return ReportSpan(datetime.fromtimestamp(float(since), UTC), datetime.fromtimestamp(float(until), UTC))


def buckets(call: ApiCall, span: ReportSpan) -> Sequence[ReportSpan]:
    """The hours, days, months or years that the span touches, in the caller's zone."""
    zone = timezone(timedelta(hours=float(call.query("timezone_offset", "0") or 0)))
    unit = call.query("group_by") or "day"
    if unit not in _NEXT:
        unprocessable("The double groups by hour, day, month and year")
    start = span.since.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    if unit != "hour":
        start = start.replace(hour=0)
    if unit in ("month", "year"):
        start = start.replace(day=1)
    if unit == "year":
        start = start.replace(month=1)
    found = []
    while start < span.until:
        found.append(ReportSpan(start, _NEXT[unit](start)))
        start = found[-1].until
    return found

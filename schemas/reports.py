"""What reports answer: the keys of Chatwoot's v2 reports, beside them what Chatwoot cannot say. Times in seconds."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field, computed_field

from schemas.bounds import Count, Finite


class ReportAnswer(BaseModel):
    """What we say: frozen, nothing undeclared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Totals(ReportAnswer):
    """The keys of `GET /api/v2/accounts/:id/reports/summary`; an average of nothing is null."""

    conversations_count: Count = 0
    incoming_messages_count: Count = 0
    outgoing_messages_count: Count = 0
    avg_first_response_time: Finite | None = None
    avg_resolution_time: Finite | None = None
    resolutions_count: Count = 0
    reply_time: Finite | None = None


class Percentiles(ReportAnswer):
    """How long the fastest half, nine of ten and 99 of 100 took at most."""

    p50: float
    p90: float
    p99: float


class Satisfaction(ReportAnswer):
    """Answers that came in the span, and surveys that were sent in it, with those of them that were answered since.
    Chatwoot itself has no score: satisfied are ratings of 4 and 5."""

    answers: int = 0
    surveys_sent: int = 0
    surveys_answered: int = 0
    ratings: dict[int, int] = Field(default_factory=dict)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def satisfied_share(self) -> float | None:
        return (self.ratings.get(4, 0) + self.ratings.get(5, 0)) / self.answers if self.answers else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def response_rate(self) -> float | None:
        """Of what was sent: an answer may come in another span than its survey, and more answers than surveys."""
        return self.surveys_answered / self.surveys_sent if self.surveys_sent else None


class Group(Totals):
    """One agent, inbox, team or day, or the whole account; `id` is null for what belongs to none."""

    id: str | None = None
    name: str | None = None
    first_response_percentiles: Percentiles | None = None
    resolution_percentiles: Percentiles | None = None
    reply_percentiles: Percentiles | None = None
    reopened_conversations: int = 0
    resolved_conversations: int = 0
    satisfaction: Satisfaction = Satisfaction()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def reopen_rate(self) -> float | None:
        return self.reopened_conversations / self.resolved_conversations if self.resolved_conversations else None


class Completeness(ReportAnswer):
    """How far the figures can be trusted: all that was accepted until then is in them.

    `imported` counts conversations read through the API: where one was reopened, it shows the last resolution only.
    `approximate` counts turns whose moment only it showed, `unknown_openers` openings of which no webhook tells whether
    a bot or a person made them, `not_reckoned` conversations that are too long: their figures stand still.
    `not_applied` names rules for which something is unknown.
    """

    complete_to: datetime | None = None
    records_behind: int = 0
    lost_changes: int = 0
    imported: int = 0
    approximate: int = 0
    unknown_openers: int = 0
    not_reckoned: int = 0
    not_applied: tuple[str, ...] = ()


class ReportSummary(Group):
    """Chatwoot's summary of a span and of the one before it, and what Chatwoot cannot say of it. `timezone` is the
    store's."""

    since: datetime
    until: datetime
    timezone: str
    previous: Totals = Totals()
    completeness: Completeness = Completeness()


class Report(ReportAnswer):
    """A summary by agent, inbox, team or day."""

    store: str
    by: str
    since: datetime
    until: datetime
    timezone: str
    groups: tuple[Group, ...]
    completeness: Completeness = Completeness()


class Waiting(ReportAnswer):
    """A customer who waits for a person's answer now."""

    conversation_id: int
    waiting_since: datetime
    waiting_seconds: int
    status: str
    assignee: str | None
    inbox: str | None
    url: str


class WaitingList(ReportAnswer):
    """Customers who wait now, longest first: of `waiting_count` as many as were asked for."""

    store: str
    waiting_count: int
    waiting: tuple[Waiting, ...]
    completeness: Completeness = Completeness()


class ComparisonRow(ReportAnswer):
    """One key of Chatwoot's summary: our figure, Chatwoot's, and where they differ the likely reason."""

    key: str
    ours: float | None
    chatwoots: float | None
    reason: str | None = None


class Comparison(ReportAnswer):
    """Our summary of a span beside Chatwoot's own."""

    store: str
    since: datetime
    until: datetime
    timezone: str
    figures: tuple[ComparisonRow, ...]
    fault: str | None = None  # why Chatwoot did not tell
    completeness: Completeness = Completeness()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def equal(self) -> bool:
        return self.fault is None and not any(one.reason for one in self.figures)


class WidgetUse(ReportAnswer):
    """What the widget was used for, in all, on a day, or on a kind of page; `id` names the day or the kind.

    Shares are null where there was nothing; a widget that is loaded once may be opened more than once, so `open_rate`
    may exceed 1. Load times in milliseconds, read from a histogram: at most a quarter too long.
    """

    id: str | None = None
    loads: int = 0
    load_failures: int = 0
    load_time_p50: int | None = None
    load_time_p95: int | None = None
    opens: int = 0
    messages: int = 0
    conversations_started: int = 0
    followed_by_order: int = 0  # within 7 days, by the same customer, where the shop vouched for who it was

    @computed_field  # type: ignore[prop-decorator]
    @property
    def open_rate(self) -> float | None:
        return self.opens / self.loads if self.loads else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def conversion(self) -> float | None:
        """Conversations started, of the times that the widget was opened."""
        return self.conversations_started / self.opens if self.opens else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def order_rate(self) -> float | None:
        return self.followed_by_order / self.conversations_started if self.conversations_started else None


class WidgetUseReport(ReportAnswer):
    """The widget of one store, from the first to the last day of its own calendar, both included."""

    store: str
    by: str
    first_day: date
    last_day: date
    timezone: str
    groups: tuple[WidgetUse, ...]

"""What reports answer: the keys of Chatwoot's v2 reports, beside them what Chatwoot cannot say. Times in seconds."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """What we say: frozen, nothing undeclared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Totals(Answer):
    """The keys of `GET /api/v2/accounts/:id/reports/summary`; an average of nothing is null."""

    conversations_count: int = 0
    incoming_messages_count: int = 0
    outgoing_messages_count: int = 0
    avg_first_response_time: float | None = None
    avg_resolution_time: float | None = None
    resolutions_count: int = 0
    reply_time: float | None = None


class Percentiles(Answer):
    """How long the fastest half, nine of ten and 99 of 100 took at most."""

    p50: float
    p90: float
    p99: float


class Satisfaction(Answer):
    """Survey answers. Chatwoot itself has no score: satisfied are ratings of 4 and 5."""

    answers: int = 0
    surveys_sent: int = 0
    ratings: dict[int, int] = Field(default_factory=dict)

    @property
    def satisfied_share(self) -> float | None:
        return (self.ratings.get(4, 0) + self.ratings.get(5, 0)) / self.answers if self.answers else None

    @property
    def response_rate(self) -> float | None:
        return self.answers / self.surveys_sent if self.surveys_sent else None


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

    @property
    def reopen_rate(self) -> float | None:
        return self.reopened_conversations / self.resolved_conversations if self.resolved_conversations else None


class Completeness(Answer):
    """How far the figures can be trusted: all that was accepted until then is in them."""

    complete_to: datetime | None = None
    records_behind: int = 0
    lost_changes: int = 0


class ReportSummary(Totals):
    """Chatwoot's summary of a span and of the one before it."""

    previous: Totals = Totals()
    completeness: Completeness = Completeness()


class Report(Answer):
    """A summary by agent, inbox, team or day."""

    store: str
    by: str
    since: datetime
    until: datetime
    timezone: str
    groups: tuple[Group, ...]
    completeness: Completeness = Completeness()


class Waiting(Answer):
    """A customer who waits for a person's answer now."""

    conversation_id: int
    waiting_since: datetime
    waiting_seconds: int
    status: str
    assignee: str | None
    inbox: str | None
    url: str

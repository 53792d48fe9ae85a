"""What can be asked of the reports, with a token and without one."""

import itertools

from tests.hostile.acts.named import named
from tests.hostile.tenant import Tenant

_NAMES = ("summary", "agents", "compare", "x" * 3000, "%00", "waiting", "series")
_QUERIES = (
    "limit=" + "9" * 5000, "limit=-1", "limit=1e3",
    "since=0001-01-01T00:00:00%2B14:00&until=9999-12-31T23:59:59-14:00", "since=0001-01-01",
    "until=9999-12-31", "since=" + "9" * 5000, "since=%00", "until=%ff", "by=x", "inbox=" + "9" * 400, "agent=%00",
    "zone=../../etc/passwd",
    "timezone=x" * 500, "since=2026-01-01&since=2026-01-02", "&" * 3000, "store=%00",
)  # fmt: skip


async def odd_questions(tenant: Tenant) -> None:
    """Limits of five thousand digits, dates of the year 1, and what is neither."""
    token = {"authorization": f"Bearer {tenant.target.api_token}"}
    stores = (tenant.store.slug, tenant.target.honest_slug, "x", "%00")
    for name, query in itertools.product(_NAMES, _QUERIES):
        await tenant.report(f"/api/stores/{tenant.chance.choice(stores)}/reports/{name}?{query}", token)
    for query in _QUERIES:
        await tenant.report(f"/api/reports/summary?{query}", token)


async def wrong_bearers(tenant: Tenant) -> None:
    """Tokens of other kinds."""
    for said in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer é",
        "Basic x",
        "bearer " + "x" * 7000,
        tenant.store.secret,
        "Bearer \0",
    ):
        await tenant.report("/api/reports/summary", {"authorization": said})
        await tenant.report(f"/api/stores/{tenant.store.slug}/reports/summary", {"authorization": said})


ACTS = named(odd_questions, wrong_bearers)

"""Whose a rating is, against the rows of Chatwoot's own database."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from db.pool import Pool, scoped
from services.conversations.reports.reports import by_group
from tests.recordings.recorded import RUNS, disordered, reports, rows
from tests.recordings.test_figures_equal_chatwoot import HELD
from tests.services.conversations import bench

ORDER = "17"


@pytest.mark.parametrize("run", RUNS)
async def test_ratings_belong_to_the_agent_of_chatwoots_own_rows(run: str, pool: Pool, admin_pool: Pool) -> None:
    """Who had the conversation when the customer answered: all of them go to agent 999 afterwards."""
    shops = await bench.install(admin_pool, run)
    await bench.apply(pool, bench.records(disordered(run, ORDER), shops))
    since, until = (datetime.fromtimestamp(reports(run)[name], UTC) for name in ("since", "until"))

    compared = 0
    for shop in shops.values():
        wanted: dict[str | None, Counter[int]] = defaultdict(Counter)
        for row in rows(run, "csat_survey_responses", shop.account):
            wanted[row["assigned_agent_id"] and str(row["assigned_agent_id"])][row["rating"]] += 1
        async with scoped(pool, {shop.id}) as conn:
            await conn.execute(_REASSIGNED)
            report = await by_group(conn, shop.id, "agents", since=since, until=until + timedelta(hours=1))
        ours = {group.id: Counter(group.satisfaction.ratings) for group in report.groups if group.satisfaction.answers}
        assert ours == wanted
        compared += sum(map(Counter.total, wanted.values()))
    print(f"{run}: compared {compared} ratings by agent")
    assert compared == HELD[run]["ratings"]


_REASSIGNED = """
with turned as (
  update wootstream.conversations c set assignee_id = 999 from wootstream.conversations before
  where before.organization_id = c.organization_id and before.conversation_id = c.conversation_id
  returning c.organization_id, c.conversation_id, before.assignee_id
)
insert into wootstream.changes (organization_id, conversation_id, changed_at, attribute, previous, current)
select organization_id, conversation_id, now(), 'assignee_id', coalesce(assignee_id::text, 'null'), '999' from turned
"""

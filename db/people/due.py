"""The mailbox of people to look at again: many write it, in the transaction of what they saw; one sender empties it."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from db.pool import Connection, Row

QUIET = timedelta(seconds=2)  # a visitor who logs in and fills a cart is one call, not five
_AT_MOST = timedelta(seconds=30)  # who is marked all the time is still sent

# Sorted, so that two writers lock rows in the same order. Somebody being backed off is not brought forward.
_MARK = """
insert into wootstream.due as d (organization_id, person, marks, not_before)
select organization_id, person, marks, clock_timestamp() + $4
from unnest($1::uuid[], $2::text[], $3::int[]) as m (organization_id, person, marks) order by organization_id, person
on conflict (organization_id, person) do update set
  marked_at = clock_timestamp(), marks = d.marks + excluded.marks,
  not_before = case when d.attempts > 0 then greatest(d.not_before, excluded.not_before)
                    else least(excluded.not_before, d.waiting_since + $5) end
"""
_WAITING = """
select store from unnest($1::uuid[]) as store
where exists (select from wootstream.due where organization_id = store and not_before <= clock_timestamp())
"""
# One of each store, then the second of each: a store with a million due people delays nobody else's first.
_READY = """
select d.organization_id, d.person, d.marked_at, d.marks, d.attempts
from unnest($1::uuid[]) as s (organization_id), lateral (
  select *, row_number() over (order by not_before, person) as turn
  from wootstream.due where organization_id = s.organization_id and not_before <= clock_timestamp()
  order by not_before, person limit $2
) as d
order by turn, organization_id limit $2
"""
# Whoever was marked again meanwhile stays, and is sent again: their waiting begins anew, with the marks not yet answered.
_DONE = """
with done as (delete from wootstream.due where organization_id = $1 and person = $2 and marked_at = $3)
update wootstream.due set marks = greatest(1, marks - $4), waiting_since = clock_timestamp(), attempts = 0
where organization_id = $1 and person = $2 and marked_at > $3
"""
_EVERYONE = """
insert into wootstream.due (organization_id, person)
select organization_id, 'customer:' || customer_id from wootstream.customers where organization_id = $1 order by 1, 2
on conflict do nothing
"""
_BEHIND = """
select count(*) as people, coalesce(extract(epoch from max(clock_timestamp() - greatest(d.not_before, d.waiting_since))), 0)::float8 as seconds
from wootstream.due d join public.chatwoot_accounts a using (organization_id)
where a.account_status = 'active' and a.push <> 'off' and d.not_before <= clock_timestamp()
"""
# Also whom a failure keeps waiting: whoever asks for it wants an answer.
_AT_ONCE = """
insert into wootstream.due as d (organization_id, person, not_before) values ($1, $2, clock_timestamp())
on conflict (organization_id, person) do update set
  marked_at = clock_timestamp(), marks = d.marks + 1, attempts = 0, not_before = clock_timestamp()
"""
_POSTPONE = """
update wootstream.due set attempts = attempts + $4, not_before = clock_timestamp() + $3
where organization_id = $1 and person = $2
"""


async def mark(conn: Connection, people: Iterable[tuple[UUID, str]], *, quiet: timedelta = QUIET) -> None:
    """Say that these (store, `customer:{id}` or `contact:{id}`) changed; they are due once quiet for that long.

    Who is named five times is marked once and counted five times: the sender tells how many calls were saved.
    """
    counts = sorted(Counter(people).items())
    if counts:
        stores, names, marks = [who[0] for who, _ in counts], [who[1] for who, _ in counts], [n for _, n in counts]
        await conn.execute(_MARK, stores, names, marks, quiet, _AT_MOST)


async def mark_everyone(conn: Connection, store: UUID) -> None:
    """Look at all customers of a store, as when it goes live or into shadow."""
    await conn.execute(_EVERYONE, store)


async def mark_at_once(conn: Connection, store: UUID, person: str) -> None:
    """Look at this person now, whatever they wait for."""
    await conn.execute(_AT_ONCE, store, person)


async def waiting(conn: Connection, stores: Collection[UUID]) -> set[UUID]:
    """Which of these stores have somebody due now."""
    return {row["store"] for row in await conn.fetch(_WAITING, list(stores))}


async def behind(conn: Connection) -> Row:
    """How many people are due now at stores in scope that push, and for how many seconds the first has been."""
    row = await conn.fetchrow(_BEHIND)
    assert row is not None
    return row


async def ready(conn: Connection, stores: Collection[UUID], *, limit: int) -> Sequence[Row]:
    """People due now, in turns between these stores."""
    return await conn.fetch(_READY, sorted(stores), limit)


async def done(conn: Connection, store: UUID, person: str, marked_at: datetime, marks: int) -> None:
    """Take a person out; whom somebody marked again after `marked_at` stays, without these marks."""
    await conn.execute(_DONE, store, person, marked_at, marks)


async def postpone(conn: Connection, store: UUID, person: str, *, by: timedelta, failed: bool) -> None:
    """Look at this person later; `failed` counts an attempt."""
    await conn.execute(_POSTPONE, store, person, by, int(failed))

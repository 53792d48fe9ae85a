"""Shop events → facts → orders → customers, and who is due."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from db.people import customers as table
from db.people import due
from db.people.customers import Key
from db.pool import Connection
from services.customers.events import ShopFact
from services.customers.figures import Figures, Profile, figures
from services.customers.orders import Order, OrderFact, order
from services.kernel import Record
from services.kernel.consent.words import ConsentWords

# An order's newest so many count; no shop's has had a tenth of them.
MOST_FACTS = 500
_FEW_FACTS = 10
_AT_ONCE = 8  # orders with many: 4,000 facts take the loop some 50 ms


async def keep(words: ConsentWords, conn: Connection, events: Sequence[ShopFact]) -> set[Record]:
    """What a shop says of its customers' consent is written down, all else kept as facts; which records were news."""
    news = await words.heard(conn, [(event.record, [event.word]) for event in events if event.word])
    facts = [event for event in events if event.word is None]
    return news | await keep_facts(conn, facts) if facts else news


async def keep_facts(conn: Connection, events: Sequence[ShopFact]) -> set[Record]:
    """Keep what is news, reckon the touched orders and customers again, say who is due.

    Facts go in first, then the rows that depend on them are locked, then all facts are read: whoever waited for a lock
    sees what the other kept.
    """
    # Reversed, so that of one event twice in the batch the first record is the one that was news.
    first = {event.key: event for event in reversed(events)}
    added = await table.add_facts(conn, [event.row() for event in first.values()])
    news = [event for event in events if event.key in added and first[event.key] is event]
    if news:
        owners = await _reckon_orders(conn, {(event.store, event.order_id) for event in news if event.order_id})
        people = owners | {(event.store, event.customer_id) for event in news}
        await _reckon_customers(conn, people, news)
        # Due when they have been quiet for two seconds. Once for each event: who is named five times is marked once and
        # counted five times, as calls saved.
        asked = [(event.store, event.customer_id) for event in news]
        await due.mark(conn, [(store, f"customer:{one}") for store, one in [*asked, *(people - set(asked))]])
    return {event.record for event in news}


async def _reckon_orders(conn: Connection, keys: Collection[Key]) -> set[Key]:
    """Write the orders anew; return the customers who own them now or did before."""
    if not keys:
        return set()
    # Locked after the facts went in and before all are read: of two batches the second sees both.
    before = await table.lock_orders(conn, keys)
    now = await _reckoned(conn, keys)
    await table.put_orders(conn, [one.row(*key) for key, one in sorted(now.items())])
    # Also who owned them before: an order that moves to another customer takes its money along.
    owners = {(store, one.customer_id) for (store, _), one in now.items()}
    return owners | {(row["organization_id"], row["customer_id"]) for row in before if row["customer_id"]}


async def _reckoned(conn: Connection, keys: Collection[Key]) -> dict[Key, Order]:
    """In one statement where each has a few facts. Those that have many are read some at a time, and between them the
    loop is others': no number of events of one shop holds up the doors."""
    few = await _facts(conn, keys, most=_FEW_FACTS + 1)
    many = sorted(key for key, facts in few.items() if len(facts) > _FEW_FACTS)
    now = {key: order(facts) for key, facts in few.items() if len(facts) <= _FEW_FACTS}
    for first in range(0, len(many), _AT_ONCE):
        some = await _facts(conn, many[first : first + _AT_ONCE], most=MOST_FACTS)
        now |= {key: order(facts) for key, facts in some.items()}
    return now


async def _facts(conn: Connection, keys: Collection[Key], *, most: int) -> dict[Key, list[OrderFact]]:
    by_order: dict[Key, list[OrderFact]] = defaultdict(list)
    for row in await table.facts(conn, keys, most=most):
        by_order[row["organization_id"], row["order_id"]].append(OrderFact.of(row))
    return by_order


async def reckon_again(conn: Connection, people: Collection[Key]) -> None:
    """Where rules or the passing of time move figures, without any news; who is reckoned is due."""
    await _reckon_customers(conn, people, ())
    await due.mark(conn, [(store, f"customer:{one}") for store, one in people])


async def _reckon_customers(conn: Connection, people: Collection[Key], news: Sequence[ShopFact]) -> None:
    rows = await table.lock_customers(conn, people)
    profiles = {(row["organization_id"], row["customer_id"]): Profile.kept(row) for row in rows}
    for event in news:
        profiles[event.store, event.customer_id].take(event.profile, at=event.at, rank=event.rank)
    sums: dict[Key, list[Any]] = defaultdict(list)
    for row in await table.sums(conn, people):
        sums[row["organization_id"], row["customer_id"]].append(row)
    await table.put_customers(conn, [_row(key, one, figures(sums[key])) for key, one in sorted(profiles.items())])


def _row(key: Key, profile: Profile, sums: Figures) -> table.CustomerRow:
    return table.CustomerRow(
        organization_id=key[0],
        customer_id=key[1],
        email=profile.values.get("email"),
        phone=profile.values.get("phone"),
        name=profile.values.get("name"),
        preferred_language=profile.values.get("preferred_language"),
        marketing_consent=profile.values.get("marketing_consent"),
        registered_at=profile.values.get("registered_at"),
        profile_moments=profile.moments,
        order_count=sums.order_count,
        spent=sums.spent,
        paid_orders=sums.paid_orders,
        first_order_at=sums.first_order_at,
        last_order_at=sums.last_order_at,
        customer_tier=sums.customer_tier,
    )

"""What a shop says of its customers' consent is written down; all else it says is kept as facts."""

from collections.abc import Sequence

from db.pool import Connection
from services.customers import handlers
from services.customers.events import ShopFact
from services.kernel import Record
from services.kernel.consent.words import ConsentWords


async def keep(words: ConsentWords, conn: Connection, events: Sequence[ShopFact]) -> set[Record]:
    """The records that told something new. Of a word that came twice the first record did."""
    said = {event.word: event.record for event in reversed(events) if event.word}
    news = {said[word] for word in await words.add(conn, said)}
    facts = [event for event in events if event.word is None]
    return news | await handlers.keep(conn, facts) if facts else news

"""A search through everything that an installation keeps: each table as text, each file of its data directory."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import asyncpg

_TABLES = """
select format('%I.%I', schemaname, tablename) as name from pg_tables
where schemaname in ('public', 'wootstream', 'auth') and tablename !~ '^pg_' order by 1
"""


async def hits(database_url: str, needles: Sequence[str], *, directory: Path | None = None) -> Counter[str]:
    """Table or file → rows or needles that were found there. Bytes are searched as what they say."""
    conn = await asyncpg.connect(database_url, timeout=30)
    found: Counter[str] = Counter()
    low = [needle.lower() for needle in needles]
    forms = [text for needle in low for text in (needle, needle.encode().hex())]
    try:
        for (table,) in await conn.fetch(_TABLES):
            # Searched here: PostgreSQL's LIKE goes through each row letter by letter, once for each pattern.
            rows: list[str] = [text.lower() for (text,) in await conn.fetch(f"select t::text from only {table} t")]  # noqa: S608
            whole = "\n".join(rows)
            present = [form for form in forms if form in whole]
            found[table] += sum(any(form in row for form in present) for row in rows)
    finally:
        await conn.close()
    for path in sorted(directory.rglob("*")) if directory else ():
        if path.is_file():
            content = path.read_bytes().lower()
            found[path.name] += sum(needle.encode() in content for needle in low)
    return +found

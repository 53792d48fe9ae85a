"""A column that holds something of a person says so, and the record of processing has it."""

import csv
import io
import re

from db.pool import Pool
from db.privacy import column_comments as comments
from services.privacy.processing_record import as_csv, as_markdown, processed

# What a column of that name holds; a new one says in its comment what it is, or is named here with the reason.
_PERSONAL = re.compile(
    r"(^|_)(email|phone|ip_address|user_agent|referrer|page_url|session_id|customer_id|contact_id|sender_id|person|actor"
    r"|record_key|record_value|cached_attributes|sent_attributes|event_data)$|^(customers|.*contacts|directory)\.name$"
)
# Also what stands for a person: a keyed hash, a number of somebody's, what is sealed, what a request tells.
_STANDS_FOR_SOMEBODY = re.compile(
    r"\.(digest|contact_digest|user_id|subject|export_key|tree|proof)$|^wootstream\.legal_holds\.reason$"
)
_NOBODYS = {
    "wootstream.erased_stores.proof": "how many rows of each table left",
    "public.chatwoot_accounts.support_email": "the store's own",
    "wootstream.provisioning.chatwoot_id": "of an account or inbox",
}


async def test_every_column_that_is_about_a_person_says_so(admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        rows = await comments.columns(conn)
    told = {(one.table, one.column) for one in processed(rows)}
    silent = [
        f"{row['table']}.{row['column']}"
        for row in rows
        if (_PERSONAL.search(row["column"]) or _STANDS_FOR_SOMEBODY.search(f"{row['table']}.{row['column']}"))
        and (row["table"], row["column"]) not in told
    ]
    assert sorted(set(silent) - _NOBODYS.keys()) == []
    assert ("wootstream.customers", "name") in told


async def test_the_record_is_a_table_and_a_file_of_the_same_lines(admin_pool: Pool) -> None:
    async with admin_pool.acquire() as conn:
        columns = processed(await comments.columns(conn))
    assert len(columns) > 40
    lines = list(csv.reader(io.StringIO(as_csv(columns))))
    assert [tuple(line) for line in lines[1:]] == columns
    assert len(as_markdown(columns).splitlines()) == len(columns) + 2


def test_a_comment_that_leaves_something_out_is_none() -> None:
    row = {"table": "t", "column": "c", "comment": "A name. [personal: a name; purpose: none]"}
    assert processed([row]) == []

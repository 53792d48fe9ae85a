"""One contact's difference to Chatwoot: the call, then what it answered and the mailbox in one transaction.

Whatever dies in between, the person is still due: the same difference is sent again, and Chatwoot merges it to the
same hash.
"""

from collections.abc import Iterable
from uuid import UUID

from db.people import due as mailbox
from db.people import pushes
from db.pool import Connection, scoped
from services.contacts.sending.contacts_api import RefusedByChatwoot, contacts_api
from services.contacts.sending.due_work import Due, PushJob
from services.contacts.sending.metrics import SenderMetrics
from services.kernel import Process
from services.kernel.chatwoot.chatwoot_account import Gone


async def push(process: Process, job: PushJob, counts: SenderMetrics) -> None:
    """Send the difference. Raises Retryable; the person then stays due."""
    api, (store, _, contact_id) = contacts_api(process, job.account), job.key
    held, made = dict(job.acknowledged), 0
    # Two calls: a put merges and cannot remove, for a null is kept as a null.
    try:
        if job.difference.changed:
            held, made = dict((await api.put(contact_id, dict(job.difference.changed))).custom_attributes), made + 1
        if job.difference.removed:
            held, made = dict((await api.remove(contact_id, job.difference.removed)).custom_attributes), made + 1
    except Gone:
        await _lost(process, job, counts)
        return
    except RefusedByChatwoot as refusal:
        await _refused(process, job, refusal, counts)
        return
    written = (job.written | set(job.difference.changed)) - set(job.difference.removed)
    # Together: what Chatwoot holds and that nobody waits for it any more.
    async with scoped(process.pool(), {store}) as conn:
        await pushes.acknowledge(conn, job.key, held, written=written, at=process.clock.now())
        await settle(conn, job.due)
    counts.sent(store, calls=made, marks=_marks(job.due))
    process.following.sent(store, contact_id, made)


async def settle(conn: Connection, due: Iterable[Due]) -> None:
    """These were answered; whoever was marked again meanwhile stays."""
    for one in due:
        await mailbox.done(conn, one.store, one.person, one.marked_at, one.marks)


async def _lost(process: Process, job: PushJob, counts: SenderMetrics) -> None:
    # Merged away or deleted, of which no webhook tells: the customer is looked for again at the next turn.
    store: UUID = job.account.store
    async with scoped(process.pool(), {store}) as conn:
        await pushes.gone(conn, job.key)
        await settle(conn, [one for one in job.due if one.contact_id is not None])
    counts.outcome(store, "gone")


async def _refused(process: Process, job: PushJob, refusal: RefusedByChatwoot, counts: SenderMetrics) -> None:
    # The same again would be refused again: the next mark tries anew.
    async with scoped(process.pool(), {job.account.store}) as conn:
        await pushes.refused(conn, job.key, str(refusal))
        await settle(conn, job.due)
    counts.outcome(job.account.store, "refused")


def _marks(due: Iterable[Due]) -> int:
    return sum(one.marks for one in due)

"""One contact's difference to Chatwoot: the call, then what it answered and the mailbox in one transaction.

Whatever dies in between, the person is still due: the same difference is sent again, and Chatwoot merges it to the
same hash.
"""

from collections.abc import Iterable
from uuid import UUID

from db.people import due as mailbox
from db.people import pushes
from db.pool import Connection, scoped
from services.contacts.sending.contacts_api import RefusedByChatwoot, ServedChatwoot
from services.contacts.sending.due_work import Due, PushJob
from services.kernel.chatwoot.chatwoot_client import Gone


async def push(served: ServedChatwoot, job: PushJob) -> None:
    """Send the difference. Raises Retryable, LeaseLost; the person then stays due."""
    # With its token unsealed; each call first asks whether the lease still holds.
    api, (store, _, contact_id) = served.api(job.account), job.key
    held, made = dict(job.acknowledged), 0
    # Two calls: a put merges and cannot remove, for a null is kept as a null.
    try:
        if job.difference.changed:
            held, made = dict((await api.put(contact_id, dict(job.difference.changed))).custom_attributes), made + 1
        if job.difference.removed:
            held, made = dict((await api.remove(contact_id, job.difference.removed)).custom_attributes), made + 1
    except Gone:
        await _lost(served, job)
        return
    except RefusedByChatwoot as refusal:
        await _refused(served, job, refusal)
        return
    sent = {**job.sent, **job.confirmed, **job.difference.changed}
    sent = {name: value for name, value in sent.items() if name not in job.difference.removed}
    written = (job.written | set(job.difference.changed)) - set(job.difference.removed)
    served.lease.check()  # frozen while Chatwoot answered, we know less of the contact than who has sent since
    # Together: what Chatwoot holds and that nobody waits for it any more.
    async with scoped(served.process.pool(), {store}) as conn:
        await pushes.acknowledge(conn, job.key, held, written=written, sent=sent, at=served.process.clock.now())
        await settle(conn, job.due)
    served.counts.sent(store, calls=made, marks=_marks(job.due))
    if job.repaired:
        served.counts.outcome(store, "repaired")
    served.process.following.sent(store, contact_id, made)


async def settle(conn: Connection, due: Iterable[Due]) -> None:
    """These were answered; whoever was marked again meanwhile stays."""
    for one in due:
        await mailbox.done(conn, one.store, one.person, one.marked_at, one.marks)


async def _lost(served: ServedChatwoot, job: PushJob) -> None:
    # Merged away or deleted, of which no webhook tells: the customer is looked for again at the next turn.
    store: UUID = job.account.store
    async with scoped(served.process.pool(), {store}) as conn:
        await pushes.gone(conn, job.key)
        await settle(conn, [one for one in job.due if one.contact_id is not None])
    served.counts.outcome(store, "gone")


async def _refused(served: ServedChatwoot, job: PushJob, refusal: RefusedByChatwoot) -> None:
    # The same again would be refused again: the next mark tries anew.
    async with scoped(served.process.pool(), {job.account.store}) as conn:
        await pushes.refused(conn, job.key, str(refusal))
        await settle(conn, job.due)
    served.counts.outcome(job.account.store, "refused")


def _marks(due: Iterable[Due]) -> int:
    return sum(one.marks for one in due)

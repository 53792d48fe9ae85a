"""One Chatwoot that this process sends to: what each piece of work there stands on."""

from dataclasses import dataclass

from services.contacts.sending.contacts_api import ContactsApi, contacts_api
from services.contacts.sending.leases import Lease
from services.contacts.sending.metrics import SenderMetrics
from services.contacts.sending.sender_account import SenderAccount
from services.kernel import Process


@dataclass(frozen=True, slots=True)
class ServedChatwoot:
    """Its lease is checked before each call, and before what became of one is written down."""

    process: Process
    counts: SenderMetrics
    lease: Lease

    def api(self, account: SenderAccount) -> ContactsApi:
        """An account's contacts. Raises Retryable."""
        return contacts_api(self.process, account, self.lease.check)

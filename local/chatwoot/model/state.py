"""Everything the double knows, in memory, and the look-ups that must be quick with many contacts."""

import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from local.chatwoot.errors import not_found
from local.chatwoot.model.bearers import Bearers
from local.chatwoot.model.rows import Account, Bot, Contact, ContactInbox, Conversation, Inbox, Message, User
from local.chatwoot.release import PlayedRelease

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ADJECTIVES = """
    autumn hidden bitter misty silent empty dry dark summer icy quiet white cool spring winter
""".split()
_NOUNS = "waterfall river breeze moon rain wind sea morning snow lake sunset pine shadow leaf dawn".split()


class Vanished(Exception):
    """What is asked for was there, and was deleted since."""


def machine_time() -> datetime:
    return datetime.now(UTC)


class DoubleState:
    """One installation. Conversations are numbered within their account, everything else throughout the installation.

    Contacts are kept by account all the same: recordings of several installations fit side by side.
    """

    def __init__(self, *, release: PlayedRelease, now: Callable[[], datetime] = machine_time, seed: int = 1) -> None:
        self.release = release
        self.now = now
        self.chance = random.Random(seed)
        # Made from the seed, so that a run can be repeated with the same tokens.
        self.platform_token = self.token()
        self.accounts: dict[int, Account] = {}
        self.platform_accounts: set[int] = set()  # made by the platform app
        self.deleted_later: set[int] = set()  # accounts whose deletion was asked for
        self.users: dict[int, User] = {}
        self.bots: dict[int, Bot] = {}
        self.inboxes: dict[int, Inbox] = {}
        self.contacts: defaultdict[int, dict[int, Contact]] = defaultdict(dict)  # account id -> contact id -> contact
        self.tokens: dict[str, User | Bot] = {}
        self.messages: dict[int, Message] = {}
        self.contact_inboxes: dict[str, ContactInbox] = {}  # source id -> identity
        self.online: set[tuple[int, int]] = set()  # (account id, contact id) of those with a widget open
        self._identities: defaultdict[tuple[int, int], dict[str, ContactInbox]] = defaultdict(dict)
        self._numbers: Counter[str] = Counter()
        self._bearers = Bearers()

    def number(self, kind: str) -> int:
        """The next id of a table; ids are never used twice."""
        self._numbers[kind] += 1
        return self._numbers[kind]

    def used(self, kind: str, number: int) -> None:
        """This id was brought along: later ones are higher."""
        self._numbers[kind] = max(self._numbers[kind], number)

    def token(self) -> str:
        return "".join(self.chance.choices(_BASE58, k=24))

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def visitor_name(self) -> str:
        """As Chatwoot names somebody it does not know yet."""
        return f"{self.chance.choice(_ADJECTIVES)}-{self.chance.choice(_NOUNS)}-{self.chance.randrange(1000)}"

    def account(self, account_id: int) -> Account:
        return self.accounts.get(account_id) or not_found()

    def finish_deletions(self) -> None:
        """What Chatwoot's job does some time after an account's deletion was asked for; users stay."""
        for number in self.deleted_later:
            self.accounts.pop(number, None)
            self.platform_accounts.discard(number)
            for contact in list(self.contacts.pop(number, {}).values()):
                self._bearers.forget(contact)
            self.inboxes = {key: one for key, one in self.inboxes.items() if one.account_id != number}
        self.deleted_later.clear()

    def inbox(self, account: Account, inbox_id: int) -> Inbox:
        found = self.inboxes.get(inbox_id)
        return found if found and found.account_id == account.id else not_found()

    def inboxes_of(self, account: Account) -> Iterator[Inbox]:
        return (inbox for inbox in self.inboxes.values() if inbox.account_id == account.id)

    def widget(self, website_token: str | None) -> Inbox:
        return next((one for one in self.inboxes.values() if one.is_widget and one.token == website_token), None) or (
            not_found()
        )

    def contact(self, account: Account, contact_id: int) -> Contact:
        return self.contacts[account.id].get(contact_id) or not_found()

    def still(self, account_id: int, contact_id: int) -> Contact:
        """A contact that was there. Raises Vanished."""
        found = self.contacts[account_id].get(contact_id)
        if found is None:
            raise Vanished
        return found

    def partner(self, row: Conversation) -> Contact:
        """Whom a conversation is with. Raises Vanished."""
        return self.still(row.account_id, row.contact_id)

    def is_online(self, contact: Contact) -> bool:
        """Chatwoot knows from the widget's socket, which the double does not have: it is told (`online`)."""
        return _at(contact) in self.online

    def identities(self, contact: Contact) -> list[ContactInbox]:
        return list(self._identities[_at(contact)].values())

    def identify(self, contact: Contact, inbox: Inbox, source_id: str | None = None) -> ContactInbox:
        """A new identity of the contact in an inbox."""
        made = ContactInbox(
            id=self.number("contact_inbox"),
            contact_id=contact.id,
            inbox_id=inbox.id,
            source_id=source_id or self.uuid(),
            pubsub_token=self.token(),
            created_at=self.now(),
        )
        self.contact_inboxes[made.source_id] = self._identities[_at(contact)][made.source_id] = made
        return made

    def hand_over(self, identity: ContactInbox, to: Contact) -> None:
        """The identity belongs to another contact from now on."""
        del self._identities[to.account_id, identity.contact_id][identity.source_id]
        identity.contact_id = to.id
        self._identities[_at(to)][identity.source_id] = identity

    def bearer(self, account_id: int, key: str, value: str | None) -> Contact | None:
        """The contact that bears this e-mail (in any case), identifier or phone number."""
        return self._bearers.find(account_id, key, value)

    def keep(self, contact: Contact) -> None:
        """Store a contact, or store it again after a change."""
        self.contacts[contact.account_id][contact.id] = contact
        self._bearers.keep(contact)

    def remove(self, contact: Contact) -> None:
        self._bearers.forget(contact)
        self.online.discard(_at(contact))
        del self.contacts[contact.account_id][contact.id]
        for source_id in self._identities.pop(_at(contact), ()):
            del self.contact_inboxes[source_id]

    def conversations_of(self, contact: Contact) -> list[Conversation]:
        account = self.accounts[contact.account_id]
        return [one for one in account.conversations.values() if one.contact_id == contact.id]


def _at(contact: Contact) -> tuple[int, int]:
    return contact.account_id, contact.id

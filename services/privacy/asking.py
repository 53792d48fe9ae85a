"""Whom a request is about, as whoever asked named them: one name or several, the surest first; sealed meanwhile."""

from dataclasses import dataclass
from uuid import UUID

import orjson

from services.kernel.forgetting.subjects import Subject
from services.kernel.secrets import Secrets
from services.privacy.who import meant

_COLUMN = "privacy_requests.subject"


@dataclass(frozen=True, slots=True)
class Asked:
    """`orders` are those that the shop named with them."""

    names: tuple[Subject, ...]
    orders: tuple[str, ...] = ()
    include_chat: bool = False

    def sealed(self, secrets: Secrets, store: UUID) -> str:
        """As the column has it."""
        plain = {"names": [list(one) for one in self.names], "orders": self.orders, "include_chat": self.include_chat}
        return secrets.seal(orjson.dumps(plain).decode(), organization=store, column=_COLUMN)


def asked_in(secrets: Secrets, store: UUID, text: str) -> Asked:
    """What `sealed` wrote, or the one name that a row may hold. Raises Sealed, Refusal."""
    plain = secrets.open(text, organization=store, column=_COLUMN)
    if not plain.startswith("{"):
        return Asked((meant(plain),))
    known = orjson.loads(plain)
    return Asked(tuple(Subject(*one) for one in known["names"]), tuple(known["orders"]), known["include_chat"])

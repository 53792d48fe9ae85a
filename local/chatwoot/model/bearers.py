"""Who bears an e-mail address, an identifier or a phone number: one contact of an account at most."""

from local.chatwoot.model.rows import Contact

UNIQUE = ("email", "identifier", "phone_number")
_Name = tuple[int, str, str]


class Bearers:
    """An index that must be told of every change."""

    def __init__(self) -> None:
        self._bearers: dict[_Name, Contact] = {}
        self._borne: dict[tuple[int, int], list[_Name]] = {}

    def find(self, account_id: int, key: str, value: str | None) -> Contact | None:
        """E-mail in any case."""
        return self._bearers.get(_name(account_id, key, value)) if value else None

    def keep(self, contact: Contact) -> None:
        """Under the names it has now, and no others."""
        self.forget(contact)
        values = ((key, getattr(contact, key)) for key in UNIQUE)
        borne = [_name(contact.account_id, key, value) for key, value in values if value]
        self._borne[contact.account_id, contact.id] = borne
        self._bearers.update(dict.fromkeys(borne, contact))

    def forget(self, contact: Contact) -> None:
        for name in self._borne.pop((contact.account_id, contact.id), ()):
            self._bearers.pop(name, None)


def _name(account_id: int, key: str, value: str) -> _Name:
    return account_id, key, value.lower() if key == "email" else value

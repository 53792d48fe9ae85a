"""Whom a record is about as far as its door sees it: the names whose keys seal it. None: it is the whole store's."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.bounds import NAME_CHARACTERS
from services.kernel.forgetting.subjects import Subject, subjects_named

_CONTACTS = "contact"  # a sender's type: the others work for the store


def of_webhook(event: str, subject: str, body: Mapping[str, Any]) -> Iterable[Subject]:
    """Chatwoot's: the conversation or contact that ends its key, and each contact that the body shows."""
    kind, _, number = subject.partition(":")
    yield from subjects_named(
        conversations=[int(number)] if kind == "conversation" and number else (),
        contacts=[int(number)] if kind == "contact" and number else (),
    )
    for contact in _contacts(event, body):
        yield from of_contact(contact)


def of_contact(contact: Mapping[str, Any]) -> Iterable[Subject]:
    """By each name that it bears; what is none is left out."""
    number = contact.get("id")
    return subjects_named(
        contacts=[number if type(number) is int else None],
        customers=[_text(contact, "identifier")],
        emails=[_text(contact, "email")],
        phones=[_text(contact, "phone_number")],
    )


def of_customer(customer_id: str | None, email: str | None = None, phone: str | None = None) -> Iterable[Subject]:
    """A shop's."""
    return subjects_named(customers=[customer_id], emails=[email], phones=[phone])


def _contacts(event: str, body: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if event.startswith("contact_"):
        yield body
    for owner in (body, _dict(body, "conversation")):
        yield _dict(_dict(owner, "meta"), "sender")
        yield {"id": _dict(owner, "contact_inbox").get("contact_id")}
        yield _dict(owner, "contact")
    sender = _dict(body, "sender")
    if sender.get("type") == _CONTACTS or body.get("message_type") == "incoming":
        yield sender


def _dict(part: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = part.get(name)
    return value if type(value) is dict else {}


def _text(part: Mapping[str, Any], name: str) -> str | None:
    """What is longer is nobody's name, and would be remembered whole."""
    value = part.get(name)
    return value if type(value) is str and len(value) <= NAME_CHARACTERS else None

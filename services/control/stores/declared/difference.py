"""Wanted against observed: the changes, each with the call that makes it. Pure; plan prints what apply does."""

import secrets
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from schemas.chatwoot import attributes
from schemas.chatwoot.setup import AccountWebhook, SetUpInbox
from schemas.chatwoot.webhooks import EVENTS
from services.control.stores.declared.observed import Observed, account_path
from services.control.stores.declared.stores_file_reader import WantedStore
from services.kernel.errors import Refusal

SetupStep = Literal[
    "user", "account", "member", "inbox", "attributes", "labels", "webhook", "agents", "members", "bot", "store",
    "events",
]  # fmt: skip
# A webhook that was just made is deaf until the doors know its secret: Chatwoot sends each event once. This event is
# never delivered (seen on 3.16.0 and 4.13.0), and before 3.2 it is not known.
_QUIET, _QUIET_BEFORE_3_2 = "inbox_updated", "webwidget_triggered"
_PATH_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Call:
    """What makes a change; its body may hold a secret."""

    method: str
    path: str
    body: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AccountChange:
    sign: Literal["+", "~", "-"]
    step: SetupStep
    what: str
    before: str | None = None
    after: str | None = None
    call: Call | None = None

    def as_json(self) -> dict[str, str | None]:
        return {"sign": self.sign, "step": self.step, "what": self.what, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class Doors:
    """Where our webhooks lead, and by which secrets of them the doors know this store now."""

    url: str  # without token and query
    release: tuple[int, ...]
    secrets: Collection[str]  # the current one first
    token_is_known: Callable[[str], bool]

    @property
    def signed(self) -> bool:
        """Account webhooks are signed since 4.11.2."""
        return self.release >= (4, 11, 2)

    def is_ours(self, webhook: AccountWebhook) -> bool:
        url = webhook.url.partition("?")[0]
        return url == self.url or url.startswith(f"{self.url}/")

    def path_token(self, webhook: AccountWebhook) -> str | None:
        """What a release that does not sign proves itself by."""
        return webhook.url.partition("?")[0].removeprefix(self.url).lstrip("/") or None

    def knows(self, webhook: AccountWebhook) -> bool:
        return self.rank(webhook) < len(self.secrets) or self._token_is_known(webhook)

    def rank(self, webhook: AccountWebhook) -> int:
        """0: it has the secret that is current, 1: the previous one. While a secret is rotated there are two."""
        if self._token_is_known(webhook):
            return 0
        secret = webhook.secret.get_secret_value() if webhook.secret else None
        return [*self.secrets, secret].index(secret)

    def _token_is_known(self, webhook: AccountWebhook) -> bool:
        token = self.path_token(webhook)
        return token is not None and self.token_is_known(token)


def differences(
    wanted: WantedStore, observed: Observed, account: int | str, doors: Doors, *, ours: bool
) -> list[AccountChange]:
    """What Chatwoot lacks, in the order in which it is made. `ours`: the website inbox was made by us."""
    path = account_path(account)
    return [
        *_inbox(wanted, observed, path, ours=ours),
        *_attributes(observed, path),
        *_labels(wanted, observed, path),
        *_webhooks(wanted, observed, path, doors),
    ]


def widget_inbox(wanted: WantedStore, observed: Observed) -> SetUpInbox | None:
    """The store's website inbox; None where there is none yet. Raises Refusal where it could be several."""
    widgets = [one for one in observed.inboxes if one.is_widget]
    if token := wanted.entry.website_token:
        found = next((one for one in widgets if one.website_token == token), None)
        if found is None:
            raise Refusal("its account has no website inbox with this website_token")
        return found
    by_url = [one for one in widgets if one.website_url == website_url(wanted)] if website_url(wanted) else []
    if len(by_url) == 1:
        return by_url[0]
    if len(widgets) > 1:
        names = ", ".join(f"{one.name} ({one.website_token})" for one in widgets[:5])
        raise Refusal(f"its account has several website inboxes, name one by its website_token: {names}")
    return widgets[0] if widgets else None


def website_url(wanted: WantedStore) -> str | None:
    entry = wanted.entry
    host = entry.domain or next(iter(entry.domains or ()), None)
    return entry.website_url or (host and (host if "://" in host else f"https://{host}"))


def storefronts(wanted: WantedStore) -> tuple[str, ...] | None:
    """The domains whose pages may speak for the store; None: nothing is said of them."""
    if wanted.entry.domains is not None:
        return wanted.entry.domains
    return (urlsplit(url).netloc,) if (url := website_url(wanted)) else None


def _origins(wanted: WantedStore) -> str:
    return ",".join(one if "://" in one else f"https://{one}" for one in storefronts(wanted) or ())


def _inbox(wanted: WantedStore, observed: Observed, path: str, *, ours: bool) -> Iterator[AccountChange]:
    entry, found = wanted.entry, widget_inbox(wanted, observed)
    name = entry.account_name or wanted.slug
    if found is None:
        if not (url := website_url(wanted)):
            raise Refusal("its account has no website inbox: say website_url or domain, and one is made")
        mandatory = entry.hmac_mandatory is not False
        channel = {"type": "web_widget", "website_url": url, "hmac_mandatory": mandatory}
        body = {"name": name, "channel": channel | {"allowed_domains": _origins(wanted)}}
        zone = {"timezone": entry.timezone} if entry.timezone else {}
        yield AccountChange(
            "+", "inbox", f"website inbox {name}", after=url, call=Call("POST", f"{path}/inboxes", body | zone)
        )
        return
    changed: dict[str, Any] = {}
    if entry.hmac_mandatory is not None and found.hmac_mandatory != entry.hmac_mandatory:
        changed["hmac_mandatory"] = entry.hmac_mandatory
    if ours and found.allowed_domains is not None and storefronts(wanted) and found.allowed_domains != _origins(wanted):
        changed["allowed_domains"] = _origins(wanted)
    for key, value in changed.items():
        call = Call("PATCH", f"{path}/inboxes/{found.id}", {"channel": {key: value}})
        before = getattr(found, key)
        yield AccountChange("~", "inbox", f"website inbox {found.name}, {key}", str(before), str(value), call)


def _attributes(observed: Observed, path: str) -> Iterator[AccountChange]:
    there = {one.attribute_key: one for one in observed.definitions}
    for one in attributes.SPECIFIED:
        kind = {"attribute_display_type": one.display_type, "attribute_values": list(one.values)}
        what, found = f"contact attribute {one.key}", there.get(one.key)
        if found is None:
            names = {
                "attribute_key": one.key,
                "attribute_display_name": one.name,
                "attribute_model": "contact_attribute",
            }
            body = {"custom_attribute_definition": names | kind}
            call = Call("POST", f"{path}/custom_attribute_definitions", body)
            yield AccountChange("+", "attributes", what, after=one.display_type, call=call)
        elif found.attribute_display_type != one.display_type or not {*one.values} <= {*(found.attribute_values or ())}:
            call = Call(
                "PATCH", f"{path}/custom_attribute_definitions/{found.id}", {"custom_attribute_definition": kind}
            )
            before = _kind(found.attribute_display_type, found.attribute_values or ())
            yield AccountChange("~", "attributes", what, before, _kind(one.display_type, one.values), call)


def _kind(display_type: str, values: Collection[str]) -> str:
    return f"{display_type} ({', '.join(values)})" if values else display_type


def _labels(wanted: WantedStore, observed: Observed, path: str) -> Iterator[AccountChange]:
    there = {one.title for one in observed.labels}
    for title in wanted.entry.labels or ():
        if title not in there:
            body = {"label": {"title": title, "show_on_sidebar": True}}
            yield AccountChange("+", "labels", f"label {title}", call=Call("POST", f"{path}/labels", body))


def current_webhook(observed: Observed, doors: Doors) -> AccountWebhook | None:
    """Of ours the one by whose secret the doors know the store, else the oldest."""
    ours = (one for one in observed.webhooks if doors.is_ours(one))
    return min(ours, key=lambda one: (doors.rank(one), one.id), default=None)


def _webhooks(wanted: WantedStore, observed: Observed, path: str, doors: Doors) -> Iterator[AccountChange]:
    current = current_webhook(observed, doors)
    if current is None:
        quiet = _QUIET if doors.release >= (3, 2) else _QUIET_BEFORE_3_2
        body = {
            "webhook": {
                "url": doors.url if doors.signed else _secret_url(doors),
                "name": "Wootstream",
                "subscriptions": [quiet],
            }
        }
        yield AccountChange("+", "webhook", f"webhook {doors.url}", call=Call("POST", f"{path}/webhooks", body))
    elif current.secret is None and doors.path_token(current) is None:
        body = {"webhook": {"url": _secret_url(doors), "subscriptions": list(current.subscriptions)}}
        what = f"webhook {doors.url}, a secret path: it is not signed"
        yield AccountChange("~", "webhook", what, call=Call("PATCH", f"{path}/webhooks/{current.id}", body))
    for one in observed.webhooks:
        if current and one.id != current.id and doors.is_ours(one) and doors.knows(current) and not doors.knows(one):
            what = f"webhook {doors.url} (number {one.id}: the doors know another)"
            yield AccountChange("-", "webhook", what, call=Call("DELETE", f"{path}/webhooks/{one.id}"))
    if current is None or {*current.subscriptions} != {*EVENTS}:
        yield _events(current, path)


def _secret_url(doors: Doors) -> str:
    return f"{doors.url}/{secrets.token_urlsafe(_PATH_TOKEN_BYTES)}"


def _events(current: AccountWebhook | None, path: str) -> AccountChange:
    """The webhook hears what we use and nothing else. Made last: from then on the doors get what it says."""
    before = None if current is None else ", ".join(sorted(current.subscriptions))
    call = None
    if current is not None:
        body = {"webhook": {"url": current.url, "subscriptions": list(EVENTS)}}
        call = Call("PATCH", f"{path}/webhooks/{current.id}", body)
    return AccountChange("~" if current else "+", "events", "webhook's events", before, ", ".join(sorted(EVENTS)), call)

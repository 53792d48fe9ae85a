"""Each Chatwoot server and each store's account there."""

import hashlib
import ipaddress
from collections.abc import Collection, Iterator
from datetime import timedelta

from services.control.doctor.finding import Finding, fault, warning, well
from services.control.doctor.judging.installation import skew
from services.control.doctor.seen import AccountSeen, ServerSeen, StoreRow, WebhookSeen
from services.kernel.printable import utc

SILENT_FOR = timedelta(hours=1)  # a webhook comes within seconds; an hour is no queue any more
CALLS_A_MINUTE = 3_000  # Chatwoot's own limit for one address, chatwoot-facts 4.9
_PRIVATE_TARGETS_REFUSED_SINCE = (4, 14)
_ALLOW_PRIVATE = "set SAFE_FETCH_ALLOW_PRIVATE_NETWORK=true in Chatwoot, or give WOOTSTREAM_PUBLIC_URL a public name"
_ATTACH = "`wootstream stores add {slug}` with"


def server(seen: ServerSeen, *, calls_per_second: float, private: bool) -> Iterator[Finding]:
    """One Chatwoot server with its limits; what it says concerns all its stores."""
    about = f"Chatwoot {seen.base_url}"
    if seen.fault:
        yield fault(about, seen.fault, f"see that it runs and can be reached from here; {seen.stores} stores are there")
        return
    yield well(about, f"{seen.release or 'release unknown'}, {seen.stores} stores")
    if seen.ahead_seconds is not None:
        yield skew(about, seen.ahead_seconds)
    if seen.release and _release(seen.release) >= _PRIVATE_TARGETS_REFUSED_SINCE and private:
        yield warning(
            about, f"{seen.release} sends no webhook to a private address, and our public URL is one", _ALLOW_PRIVATE
        )
    if calls_per_second * 60 > CALLS_A_MINUTE:
        yield warning(
            about, f"{calls_per_second:g} calls a second are more than the {CALLS_A_MINUTE:,} a minute that it takes",
            "put our address into its RACK_ATTACK_ALLOWED_IPS, or lower WOOTSTREAM_CHATWOOT_CALLS_PER_SECOND",
        )  # fmt: skip


def without_key(attached: int) -> Iterator[Finding]:
    """A new installation has none yet; one with stores has lost it."""
    if attached:
        seen = f"{attached} stores are attached, and no installation key is here to open their secrets"
        yield fault("keys", seen, "give every process the key that sealed them")
    else:
        yield well("stores", "none is attached yet")


def store(row: StoreRow, seen: AccountSeen, *, public_url: str, events: Collection[str],
          attributes: Collection[str]) -> Iterator[Finding]:  # fmt: skip
    """One store: its secrets, its webhook, its attribute definitions, and whether it is heard."""
    findings = [
        *_secrets(row),
        *_access(row, seen),
        *_webhook(row, seen, public_url, events),
        *_definitions(row, seen, attributes),
        *_silence(row, seen),
    ]
    yield from findings
    if not findings:
        heard = (
            "heard, and set up as wanted" if row.last_activity_at else "set up as wanted; nothing was heard of it yet"
        )
        yield well("store", heard, store=row.slug)


def _secrets(row: StoreRow) -> Iterator[Finding]:
    if row.sealed:
        yield fault(
            "keys", f"{', '.join(row.sealed)} cannot be opened with this installation key",
            "give each process the key that sealed them; if it is lost, `stores apply` or `stores add` with --key-lost",
            store=row.slug,
        )  # fmt: skip
    if not row.has_domains:
        yield warning(
            "store", "no domain of a storefront is known: no page gets a widget or reports",
            f"{_ATTACH.format(slug=row.slug)} --domain", store=row.slug,
        )  # fmt: skip


def _access(row: StoreRow, seen: AccountSeen) -> Iterator[Finding]:
    if row.token is None and "api_access_token" not in row.sealed:
        yield warning(
            "API token", "none: its webhook cannot be looked at, and nothing can be sent",
            f"{_ATTACH.format(slug=row.slug)} WOOTSTREAM_STORE_API_TOKEN", store=row.slug,
        )  # fmt: skip
    elif seen.refused:
        yield fault(
            "API token", seen.refused, f"{_ATTACH.format(slug=row.slug)} a new API token, of an administrator",
            store=row.slug,
        )  # fmt: skip


def _webhook(row: StoreRow, seen: AccountSeen, public_url: str, events: Collection[str]) -> Iterator[Finding]:
    if seen.webhooks is None:
        return
    about, ours = "webhook", [one for one in seen.webhooks if _is_ours(one, row, public_url)]
    address = public_url.rstrip("/") + row.webhook_path
    if not ours:
        yield fault(about, "Chatwoot has none that leads here", f"make one to {address} there", store=row.slug)
        return
    subscribed = frozenset[str]().union(*(one.subscriptions for one in ours))
    if lacking := sorted(set(events) - subscribed):
        yield fault(about, f"does not tell of {', '.join(lacking)}", "subscribe it to them in Chatwoot", store=row.slug)
    if not row.path_tokens_sha256 and not any(_same_secret(one, row) for one in ours):
        yield fault(
            about, "Chatwoot signs with another secret than the one that is known here",
            f"{_ATTACH.format(slug=row.slug)} the secret that the webhook shows", store=row.slug,
        )  # fmt: skip


def _is_ours(one: WebhookSeen, row: StoreRow, public_url: str) -> bool:
    """By its path; a rotation's `?v=2` leads here, too. Of an unsigned one only the hashes of its tokens are known."""
    prefix = public_url.rstrip("/") + row.webhook_path
    url = one.url.partition("?")[0].rstrip("/")
    if not row.path_tokens_sha256:
        return url == prefix
    token = url.removeprefix(f"{prefix}/")
    return url != token and hashlib.sha256(token.encode()).digest() in row.path_tokens_sha256


def _same_secret(one: WebhookSeen, row: StoreRow) -> bool:
    """Where Chatwoot keeps its secret to itself there is nothing to hold against ours."""
    return one.secret is None or not row.webhook_secrets or one.secret in row.webhook_secrets


def _definitions(row: StoreRow, seen: AccountSeen, attributes: Collection[str]) -> Iterator[Finding]:
    if seen.definitions is None or row.push == "off":
        return
    wanted = set(attributes) if row.allowed is None else set(attributes) & row.allowed
    if lacking := sorted(wanted - seen.definitions):
        yield warning(
            "attributes", f"not defined in Chatwoot, so agents do not see them: {', '.join(lacking)}",
            "define them there as contact attributes", store=row.slug,
        )  # fmt: skip


def _silence(row: StoreRow, seen: AccountSeen) -> Iterator[Finding]:
    if not seen.conversations or seen.last_activity_at is None:
        return
    heard = row.last_activity_at
    if heard is None or seen.last_activity_at - heard > SILENT_FOR:
        until = f"since {utc(heard)}" if heard else "ever"
        yield warning(
            "silence", f"no webhook was heard {until}, and Chatwoot's last activity is of "
            f"{utc(seen.last_activity_at)}",
            f"see `wootstream tail --refused`; then `wootstream import history --store {row.slug}`",
            store=row.slug,
        )  # fmt: skip


def _release(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor.partition("-")[0].partition("+")[0])


def is_private(addresses: Collection[str]) -> bool:
    """Whether Chatwoot 4.14 and later would refuse to send there: no address is public."""
    return bool(addresses) and not any(ipaddress.ip_address(one).is_global for one in addresses)

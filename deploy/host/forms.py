"""The form of what .env says: what nobody but a container would notice, hours later or never."""

from __future__ import annotations  # Python 3.9, as older distributions have it

import re
from collections.abc import Mapping

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = rf"{_LABEL}(\.{_LABEL})*"
# Read by nginx, certbot, Alertmanager, Kafka, and by the checks of the host.
_FORMS = {
    "PUBLIC_NAME": (_NAME, "a name alone, without https:// or a port"),
    "ACME_EMAIL": (r"[^@\s]+@[^@\s]+", "an e-mail address"),
    "CHATWOOT_PRIVATE_ADDRESSES": (
        "(?i:true|false|t|f|yes|no|y|n|on|off|1|0)",
        "true or false",
    ),  # as our settings read it
    "PROXY": ("none|cloudflare|forwarded", "none, cloudflare or forwarded"),
    "ALERT_MAIL_SERVER": (rf"{_NAME}:[0-9]{{1,5}}", "host:port"),
    "KAFKA_TOPIC_BYTES": ("[0-9]{0,15}", "a number of bytes"),
    "TIME_SERVER": (rf"{_NAME}\.?", "a name or an address"),
}


def fault(variable: str, value: str) -> str:
    """What is wrong with it and what to say instead; empty where nothing is, or nobody knows its form."""
    form, words = _FORMS.get(variable, (".*", ""))
    return "" if re.fullmatch(form, value, re.DOTALL) else f"{variable} is {value!r}: say {words}"


def faults(said: Mapping[str, str]) -> list[str]:
    """Of all that is said; what is left empty is as if it were left out."""
    return [found for name, value in said.items() if value and (found := fault(name, value))]

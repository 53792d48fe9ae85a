"""How a shop's back end learns what its page tells Chatwoot's widget about a customer who is logged in.

    GET /api/stores/{store}/identity?customer=c-17

signed as Standard Webhooks say, with the shop's event secret. The request has no body: what is signed in its place is
the query, byte for byte as it stands in the URL (`customer=c-17`). So the secret never travels, and a signature is good
for this customer alone and for some minutes.

The hash never expires (chatwoot-facts 5.4): whoever has it is this customer to Chatwoot. It belongs on the customer's
own pages, never into a shared cache, and the key never leaves the server.
"""

import hashlib
import hmac

from pydantic import BaseModel, ConfigDict


class Identity(BaseModel):
    """What the page hands to `$chatwoot.setUser(identifier, {identifier_hash, …})`."""

    model_config = ConfigDict(frozen=True)

    identifier: str
    identifier_hash: str


def identity(key: str, customer: str) -> Identity:
    """As Chatwoot checks it: lower-case hex of HMAC-SHA256, the inbox's hmac_token as the key's text."""
    digest = hmac.digest(key.encode(), customer.encode(), hashlib.sha256).hex()
    return Identity(identifier=customer, identifier_hash=digest)

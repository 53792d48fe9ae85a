"""How a shop vouches for its customer, so that a page may report in the customer's name.

The shop's back end, when it renders a page for somebody who is logged in, puts three values into it:

    customer   the shop's own id of the customer
    expires    Unix seconds, at most a day ahead; an hour is plenty
    proof      lower-case hex of HMAC-SHA256, keyed with the bytes of the store's vouching secret (base64 after
               `whsec_`), over the UTF-8 text `wootstream-customer`, customer and expires, joined by line feeds

The page hands them to GET /widget/{website_token}/config and gets a beacon token that names the customer. The secret
never reaches the page. A store that was attached before there was a vouching secret vouches with its event secret until
it is given one; then, as after each change, the one before is good beside it. In PHP:

    hash_hmac('sha256', "wootstream-customer\\n$customer\\n$expires", base64_decode(substr($secret, 6)))
"""

import base64
import hmac

SECRET_PREFIX = "whsec_"  # noqa: S105  it begins every secret of a shop, and is none
MOST_SECONDS_AHEAD = 86_400


def key(secret: str) -> bytes:
    """What a shop's secret stands for, of its events as of its vouching. Raises ValueError for what is no base64."""
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX) + "==")


def proof(secret: str, customer: str, expires: int) -> str:
    """What a page shows for its customer. Raises ValueError for a secret that is no base64."""
    return hmac.digest(key(secret), f"wootstream-customer\n{customer}\n{expires}".encode(), "sha256").hex()

"""The certificate that the public URL shows: its end, whoever signed it."""

import asyncio
import ssl
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509

_WAIT_SECONDS = 10.0
_PORT = 443


async def certificate_end(url: str) -> datetime | None:
    """When it ends; None for a URL that is no https. Raises OSError, TimeoutError where nobody shows one."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return None
    # Only looked at: one that is past its end, or that no authority signed, must be seen as well.
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
    async with asyncio.timeout(_WAIT_SECONDS):
        _, writer = await asyncio.open_connection(
            parts.hostname, parts.port or _PORT, ssl=looking, server_hostname=parts.hostname
        )
        try:
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.close()
            writer.transport.abort()  # it has been seen: nobody waits for its farewell
    return x509.load_der_x509_certificate(shown).not_valid_after_utc

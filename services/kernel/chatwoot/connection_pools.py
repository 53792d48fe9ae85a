"""Connections to many servers in several pools, so that a call costs the same however many servers there are.

At each call and each answer httpcore asks the operating system of every idle connection of its pool whether the other
side closed it, and for each of them counts all others: with a hundred idle ones, a call costs eight times as much
(benchmarks/contacts/chatwoot_calls.py). So each pool has few, and a server's calls always go to the same one.
"""

import zlib
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext

import httpx

from services.kernel.chatwoot.bounded_network import bound

_POOLS = 16
_IDLE_IN_A_POOL = 8  # as many calls as the sender has under way to one server


class ConnectionPools:
    """A client of httpx for each pool, made when it is first needed; `transport` in place of the network."""

    def __init__(
        self, timeout: httpx.Timeout, *, private: bool, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._timeout = timeout
        self._private = private
        self._transport = transport
        self._clients: dict[int, httpx.AsyncClient] = {}

    def of(self, base_url: str) -> httpx.AsyncClient:
        """The one client for the server with this address."""
        # Not Python's own hash, which differs from process to process: what one shows, the next shows again.
        pool = zlib.crc32(base_url.encode()) % _POOLS
        if pool not in self._clients:
            self._clients[pool] = self._client()
        return self._clients[pool]

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    def _client(self) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            timeout=self._timeout,
            follow_redirects=False,
            # A cookie of one tenant's server would go out with the next tenant's call to it.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # Callers bound what is in flight; with a limit here, servers that hang would use up the others' places.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=_IDLE_IN_A_POOL),
            verify=self._authorities,
            transport=self._transport,
        )
        bound(client, private=self._private)
        return client

    @cached_property
    def _authorities(self) -> SSLContext:
        """Read once, 20 ms: all that the machine trusts."""
        return httpx.create_ssl_context()

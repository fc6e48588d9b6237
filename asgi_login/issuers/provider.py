"""Fetches the keys of one issuer: where they are, if that must be found out, and then the set itself."""

import logging
from collections.abc import Sequence
from functools import cache
from ssl import SSLContext
from typing import Final

import httpx

from asgi_login.issuers.discovery import discover
from asgi_login.issuers.fetch import FetchError, fetch_json
from asgi_login.jwks import read_set
from asgi_login.tokens import Key

log: logging.Logger = logging.getLogger("asgi_login")

# How long what discovery has found is taken for granted, in seconds.
_LOCATED_FOR: Final = 86_400.0


class Provider:
    """The documents of one issuer.

    Args:
        url: The issuer.
        jwks_uri: Where its keys are, or None to discover that.
        algorithms: Those that are accepted.
        client: The application's own, or None for a new one each time.
        insecure: Whether plain http is good enough for what is on this machine.
    """

    __slots__ = ("_algorithms", "_client", "_insecure", "_jwks_uri", "_left_out", "_located", "_url")

    def __init__(
        self,
        url: str,
        jwks_uri: str | None,
        algorithms: Sequence[str],
        client: httpx.AsyncClient | None,
        *,
        insecure: bool,
    ) -> None:
        self._url = url
        self._jwks_uri = jwks_uri
        self._algorithms = algorithms
        self._client = client
        self._insecure = insecure
        self._located: tuple[str, float] | None = None
        self._left_out: tuple[str, ...] = ()
        if client is None:
            # Here, because it reads files for some milliseconds.
            _authorities()

    async def fetch(self, now: float) -> dict[str, Key]:
        """Return the keys by their `kid`.

        Raises:
            FetchError: Something is not to be had, or not as it must be.
            UnusableSetError: The set has no key that can be used.
        """
        if self._client is not None:
            return await self._fetch(self._client, now)
        # A new one each time, because it belongs to an event loop, and fetches are rare.
        async with httpx.AsyncClient(verify=_authorities()) as client:
            return await self._fetch(client, now)

    async def _fetch(self, client: httpx.AsyncClient, now: float) -> dict[str, Key]:
        known = self._known_location(now)
        try:
            document = await fetch_json(client, known or await self._locate(client, now))
        except FetchError as problem:
            if not problem.is_refusal or self._jwks_uri is not None:
                raise
            self._located = None
            if known is None:
                raise
            # It was moved since discovery.
            document = await fetch_json(client, await self._locate(client, now))
        keys, left_out = read_set(document, self._algorithms)
        if left_out != self._left_out:
            self._left_out = left_out
            for reason in left_out:
                log.warning("of the keys of %s, one is left out: %s", self._url, reason)
        return keys

    def _known_location(self, now: float) -> str | None:
        if self._jwks_uri is not None:
            return self._jwks_uri
        if self._located is not None and now < self._located[1]:
            return self._located[0]
        return None

    async def _locate(self, client: httpx.AsyncClient, now: float) -> str:
        found = await discover(self._url, lambda url: fetch_json(client, url), insecure=self._insecure)
        self._located = (found, now + _LOCATED_FOR)
        return found


@cache
def _authorities() -> SSLContext:
    """Return the authorities that httpx trusts; SSL_CERT_FILE and SSL_CERT_DIR name others."""
    return httpx.create_ssl_context()

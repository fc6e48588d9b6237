"""Warns where a browser's origin is not the host that was asked: often a proxy in front has rewritten Host."""

import logging
import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from asgi_login.errors import CrossOriginRequest
from asgi_login.scope import Scope, header, request_line
from asgi_login.transports.csrf import NOT_THIS_HOST, check_origin

# Seconds. Whoever attacks us must not fill the log, and whoever sets up a proxy tries again within a minute.
_AT_MOST_EVERY: Final = 60
_NO_ORIGINS: Final[frozenset[bytes]] = frozenset()
_log: Final = logging.getLogger("asgi_login")


class OriginCheck:
    """The check of one manager's requests from browsers, which warns once a minute at most.

    Args:
        clock: Seconds since the epoch.
    """

    __slots__ = ("_clock", "_warned_at")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._warned_at = -math.inf

    def check(self, scope: Scope, transport: object) -> None:
        """Refuse a request whose credential a transport has found, if another site sent it.

        Raises:
            CrossOriginRequest: It did.
        """
        # The application's own transports may have none.
        problem = check_origin(scope, getattr(transport, "trusted_origins", None) or _NO_ORIGINS)
        if problem is not None:
            self._warn(scope, problem)
            raise CrossOriginRequest(problem)

    def problem(self, scope: Scope, trusted_origins: AbstractSet[bytes]) -> str | None:
        """Return why a request must not act for the browser's user, or None if it may."""
        problem = check_origin(scope, trusted_origins)
        if problem is not None:
            self._warn(scope, problem)
        return problem

    def _warn(self, scope: Scope, problem: str) -> None:
        if problem is not NOT_THIS_HOST:
            return
        now = self._clock()
        # A clock that was set back does not silence it.
        if 0 <= now - self._warned_at < _AT_MOST_EVERY:
            return
        self._warned_at = now
        _log.warning(
            "%s: refused, because its Origin %s is not its Host %s. If that origin is yours, the proxy in front has "
            "perhaps rewritten Host: let it pass on the browser's (nginx: `proxy_set_header Host $host`, or "
            "`$http_host` on a port of its own), or add the origin to trusted_origins= of the CookieTransport. If it "
            "is not yours, another site made the browser send this",
            request_line(scope),
            _quoted(header(scope, b"origin")),
            _quoted(header(scope, b"host")),
        )


def _quoted(value: bytes | None) -> str:
    """Return what a client sent, short and in ASCII, so that it cannot pass for a line of the log."""
    return ascii(None if value is None else bytes(value[:200]).decode("latin-1"))

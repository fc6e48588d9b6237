"""Events: what happened to logins and credentials, told to the application for audits and metrics."""

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from asgi_login.current import CURRENT
from asgi_login.loader import is_async_callable
from asgi_login.reasons import Reason
from asgi_login.scope import Scope
from asgi_login.tokens import VerifiedToken, is_text

EventKind: TypeAlias = Literal[
    "logged_in",
    "logged_out",
    "refused",
    "renewed",
    "restored",
    "client_changed",
    "not_fresh",
    "confirmed",
    "revoked",
    "refresh_reused",
    "store_down",
]
"""What happened; docs/how-to/observe.md says what each means."""

# A proxy may pass on text that the client chose. No address is longer.
_MAX_CLIENT: Final = 64
_NOT_AWAITED: Final = "on_event has returned a coroutine, which nobody awaits: write a plain function"
_log = logging.getLogger("asgi_login")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a login or a credential.

    Attributes:
        kind: What happened.
        manager: The name of the manager.
        sub: The user, or None where nobody knows, or nobody has proved it.
        sid: The `sid` of the login, or None.
        transport: The name of the transport that carried the credential, or that a login is written to;
            "remember_token" and "refresh_token" for such tokens, "password" for the password grant, "token" for a token
            in hand; None where there was none.
        reason: Why, for "refused", "not_fresh" and "store_down"; else None.
        client: The address in `scope["client"]`, or None.
        at: When, in seconds since the epoch, by the manager's clock.
    """

    kind: EventKind
    manager: str
    sub: str | None = None
    sid: str | None = None
    transport: str | None = None
    reason: Reason | None = None
    client: str | None = None
    at: float


OnEvent: TypeAlias = Callable[[Event], object]
"""The application's function; what it returns is ignored."""


class Events:
    """Tells an application's function of the events of one manager.

    Args:
        on_event: The function, or None, so that nobody is told.
        manager: The manager's name.
        clock: Seconds since the epoch.

    Raises:
        TypeError: The function is none, or must be awaited.
    """

    __slots__ = ("_clock", "_manager", "_on_event")

    def __init__(self, on_event: OnEvent | None, manager: str, clock: Callable[[], float]) -> None:
        if on_event is not None and (not callable(on_event) or is_async_callable(on_event)):
            raise TypeError(
                "on_event is a plain function of the Event, like audit.append, that nobody awaits; to do more, let it "
                "put the event into a queue"
            )
        self._on_event = on_event
        self._manager = manager
        self._clock = clock

    def tell(
        self,
        kind: EventKind,
        scope: Scope | None = None,
        token: VerifiedToken | None = None,
        *,
        transport: str | None = None,
        reason: Reason | None = None,
        sub: str | None = None,
        sid: str | None = None,
    ) -> None:
        """Tell of an event. If the function fails, that is logged: an audit log that is full must log nobody out.

        Args:
            kind: What happened.
            scope: Of the request; None for the one being handled, if any is.
            token: Which names the user and the login.
            transport: The name of the transport.
            reason: Why, for what was refused.
            sub: The user, where there is no token.
            sid: The login, where there is no token.
        """
        if self._on_event is None:
            return
        if token is not None:
            sub, named = token.sub, token.claims.get("sid")
            # Of an issuer's or the application's own making it may be anything.
            sid = named if is_text(named) else None
        event = Event(
            kind=kind,
            manager=self._manager,
            sub=sub,
            sid=sid,
            transport=transport,
            reason=reason,
            client=_client_of(_current_scope() if scope is None else scope),
            at=self._clock(),
        )
        try:
            result = self._on_event(event)
            if inspect.iscoroutine(result):
                result.close()
                raise TypeError(_NOT_AWAITED)  # noqa: TRY301
        except Exception:  # noqa: BLE001 - the application's function
            _log.exception("on_event failed, of the event %s", kind)


def _current_scope() -> Scope | None:
    holder = CURRENT.get(None)
    # A task that was begun in a request, and outlives it, still has its context.
    return holder.scope if holder is not None and holder.is_open else None


def _client_of(scope: Scope | None) -> str | None:
    client = None if scope is None else scope.get("client")
    host = client[0] if isinstance(client, (tuple, list)) and client else None  # pyright: ignore[reportUnknownVariableType]
    return host[:_MAX_CLIENT] if isinstance(host, str) and host and host.isprintable() else None

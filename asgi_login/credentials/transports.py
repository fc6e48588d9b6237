"""All transports of a manager: those that it was made with, and those that credential loaders have brought."""

from collections.abc import Callable
from weakref import ref

from asgi_login.credentials.loader import CredentialLoader
from asgi_login.credentials.opaque import OpaqueTransport
from asgi_login.transports import BearerTransport, CookieTransport, Transport, check_transports


class Subscription:
    """What is called when a transport has been added.

    A manager may serve several applications and outlive them, so that it holds this weakly.
    """

    __slots__ = ("__weakref__", "changed")

    def __init__(self, changed: Callable[[], None]) -> None:
        self.changed: Callable[[], None] = changed


class Transports:
    """The transports of a manager, in the order in which they are asked.

    A credential loader can be registered when the middleware is there already, as the application's modules are read.

    Args:
        given: Those that the manager was made with.

    Raises:
        TypeError, ValueError: They are no transports, or do not fit together.
    """

    __slots__ = ("_challengers", "_every", "_subscriptions")

    def __init__(self, given: tuple[Transport, ...]) -> None:
        check_transports(given)
        self._take(given)
        self._subscriptions: list[ref[Subscription]] = []

    @property
    def every(self) -> tuple[Transport, ...]:
        """All of them; one that has a credential loader is an OpaqueTransport."""
        return self._every

    def add(self, transport: Transport, loader: CredentialLoader) -> None:
        """Have `loader` know what `transport` finds. One of the manager's own carries no tokens any more.

        Raises:
            TypeError: It is no transport.
            ValueError: It does not fit to the others.
        """
        if transport in self._every:
            if isinstance(transport, CookieTransport):
                raise ValueError(
                    f"the cookie {transport.cookie_name} carries the sessions of this manager: give the credential "
                    "loader a CookieTransport with a cookie_name and a name of its own"
                )
            opaque = OpaqueTransport(transport, loader)
            every = tuple(opaque if one is transport else one for one in self._every)
        else:
            check_transports((*(original(one) for one in self._every), transport))
            every = (*self._every, OpaqueTransport(transport, loader))
        if sum(type(original(one)) is BearerTransport for one in every) > 1:
            raise ValueError(
                "the manager's BearerTransport takes every Bearer token before this one sees it: pass "
                "transports=[bearer] to LoginManager(...) and register the credential loader for the same object, or "
                "put the credential into a header of its own"
            )
        self._take(every)
        for reference in self._subscriptions:
            subscription = reference()
            if subscription is not None:
                subscription.changed()

    def _take(self, every: tuple[Transport, ...]) -> None:
        self._every: tuple[Transport, ...] = every
        # Looked for once, and not for each request that is refused.
        makers = (getattr(original(one), "challenge", None) for one in every)
        self._challengers: list[Callable[[str], str]] = [make for make in makers if make is not None]

    def subscribe(self, changed: Callable[[], None]) -> "Subscription":
        """Call a function whenever a transport has been added, as long as what is returned is kept."""
        subscription = Subscription(changed)
        self._subscriptions = [one for one in self._subscriptions if one() is not None]
        self._subscriptions.append(ref(subscription))
        return subscription

    def challenges(self, realm: str) -> tuple[str, ...]:
        """Return what asks a client for credentials of other schemes than Bearer (RFC 9110 §11.6.1)."""
        return tuple(make(realm) for make in self._challengers)


def original(transport: Transport) -> Transport:
    """Return the transport that the application has passed."""
    return transport.transport if isinstance(transport, OpaqueTransport) else transport

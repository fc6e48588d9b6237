"""What middleware, gates and adapters ask of an Auth, and applications do not."""
# pyright: reportPrivateUsage=false

from collections.abc import Mapping, MutableMapping
from typing import Final

from asgi_login.auth.auth import NO_SCOPES, AnyAuth, Auth, auth_of_manager
from asgi_login.auth.facts import AuthFacts
from asgi_login.config import Config
from asgi_login.errors import AuthError, CrossOriginRequest, ServiceUnavailable
from asgi_login.tokens import VerifiedToken
from asgi_login.transports import BearerTransport, CookieTransport

_COOKIE: Final = (b"Cookie",)


def with_others(auth: AnyAuth, others: Mapping[str, AnyAuth]) -> AnyAuth:
    """Return a copy that also holds the Auth of each other manager, by name."""
    return Auth(auth._config, auth._transport, auth._token, auth._user, auth._error, auth._is_fresh, others)


def settings_of(auth: AnyAuth, manager: str | None = None) -> Config:
    """Return the settings of the named manager, or of the one that `auth` is from."""
    return auth_of_manager(auth, manager)._config


def all_settings_of(auth: AnyAuth) -> list[Config]:
    """Return the settings of every manager in the middleware of this request."""
    return [auth._config, *(other._config for other in (auth._others or {}).values())]


def identities_of(auth: AnyAuth, manager: str | None = None) -> dict[Config, VerifiedToken]:
    """Return the token of each identity of a request, by the settings of its manager; or the named manager's alone."""
    every = [auth, *(auth._others or {}).values()] if manager is None else [auth_of_manager(auth, manager)]
    return {one._config: one._token for one in every if one._token is not None and one._error is None}


def held_open(auth: AnyAuth) -> AnyAuth:
    """Return a copy for a connection that counts as use while it is open: a session ends with its lifetime."""
    token = None if auth._token is None else auth._token.held_open()
    others = None if auth._others is None else {name: held_open(one) for name, one in auth._others.items()}
    return Auth(auth._config, auth._transport, token, auth._user, auth._error, auth._is_fresh, others)


def came_in_cookie(auth: AnyAuth) -> bool:
    """Tell whether the credential of a request was in a cookie of the manager's."""
    return isinstance(auth._transport, CookieTransport)


def token_of(auth: AnyAuth) -> VerifiedToken | None:
    """Return the verified token of a request, or None."""
    return auth._token


def write_to_state(auth: AuthFacts, state: MutableMapping[str, object]) -> None:
    """Write user, scopes and the Auth itself into the state of a request."""
    state["user"] = auth._user
    state["scopes"] = auth._token.scopes if auth._token else NO_SCOPES
    state["auth"] = auth


def blocking_error(auth: AuthFacts) -> AuthError | None:
    """Return the error of a request that the application does not see, or None.

    Another site sent it, or nobody knows now whether its credential still counts.
    """
    error = auth._error
    return error if error is not None and isinstance(error, (CrossOriginRequest, ServiceUnavailable)) else None


def varies_with(auth: AuthFacts) -> tuple[bytes, ...]:
    """Return the names of the headers in which credentials came, accepted or not: the response varies with them.

    Authorization is not among them: no shared cache keeps a response to it (RFC 9111 §3.5).
    """
    names: tuple[bytes, ...] = ()
    transport = auth._transport
    if type(transport) is CookieTransport:
        names = _COOKIE
    elif transport is not None and type(transport) is not BearerTransport:
        name: bytes | None = getattr(transport, "vary", b"Cookie" if transport.ambient else None)
        names = () if name is None else (name,)
    if auth._others is not None:
        names += tuple(name for other in auth._others.values() for name in varies_with(other) if name not in names)
    return names

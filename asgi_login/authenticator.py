"""One request, from scope to Auth: every check, once, in the one order that is safe."""

import logging
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

from asgi_login._asgi import Scope
from asgi_login.config import Config
from asgi_login.csrf import check_origin
from asgi_login.errors import AuthError, CrossOriginRequest, InvalidToken
from asgi_login.state import Attempt, Auth
from asgi_login.transports import Transport

UserT = TypeVar("UserT")

_log = logging.getLogger("asgi_login")


class Authenticator(Generic[UserT]):
    """Finds out who sent a request.

    Args:
        configs: The managers, in the order in which they are asked.
    """

    __slots__ = ("_anonymous", "_rounds", "configs")

    def __init__(self, configs: Sequence[Config]) -> None:
        self.configs: tuple[Config, ...] = tuple(configs)
        self._anonymous = Auth[UserT](self.configs)
        # What the client put into a header on purpose comes before what the browser attached by itself.
        self._rounds = tuple(
            [(config, transports) for config in configs if (transports := _transports(config, ambient=ambient))]
            for ambient in (False, True)
        )

    @property
    def anonymous(self) -> Auth[UserT]:
        """The outcome of a request without a credential."""
        return self._anonymous

    async def authenticate(self, scope: Scope) -> Auth[UserT]:
        """Return who sent this request: an identity, anonymous, or refused with the reason.

        Of several managers the first that accepts a credential wins, otherwise the first error is kept. A
        credential that is bad is never passed over for a cookie: the client said who it wants to be.

        Raises:
            Exception: Whatever the application's user loader or a transport of its own raises.
            RuntimeError: No user loader is registered.
        """
        for candidates in self._rounds:
            refused: Auth[UserT] | None = None
            for config, transports in candidates:
                auth = await self._attempt(scope, config, transports)
                if auth is None:
                    continue
                if auth.error is None or isinstance(auth.error, CrossOriginRequest):
                    return auth
                refused = refused or auth
            if refused is not None:
                return refused
        return self._anonymous

    async def _attempt(self, scope: Scope, config: Config, transports: Sequence[Transport]) -> Auth[UserT] | None:
        """Read one manager's credential; None if the request carries none."""
        transport = transports[0]
        try:
            token = None
            for transport in transports:
                if token := transport.extract(scope):
                    break
            if not token:
                return None
            verified = config.tokens.verify(_to_bytes(token))
            if transport.ambient:
                # Before the loader runs: a forged request must not even reach the database.
                problem = check_origin(scope, _trusted_origins(transport))
                if problem is not None:
                    raise CrossOriginRequest(problem)
        except AuthError as error:
            return self._refused(config, transport, error.again())
        user = await config.loader.load(cast("str", verified.claims["sub"]), scope, verified.claims)
        if user is None:
            return self._refused(config, transport, InvalidToken("no such user"))
        return Auth(self.configs, Attempt(config, transport, verified, None), cast("UserT", user))

    def _refused(self, config: Config, transport: Transport, error: AuthError) -> Auth[UserT]:
        _log.info("%s from %s refused by %s: %s", type(error).__name__, transport.name, config.name, error.reason)
        return Auth(self.configs, Attempt(config, transport, None, config.located(error)))


def _transports(config: Config, *, ambient: bool) -> tuple[Transport, ...]:
    return tuple(transport for transport in config.transports if transport.ambient is ambient)


def _trusted_origins(transport: Transport) -> frozenset[bytes]:
    """Return what a transport trusts; one of the application's own may have no such thing."""
    origins: Any = getattr(transport, "trusted_origins", None)
    return cast("frozenset[bytes]", origins or frozenset())


def _to_bytes(token: str | bytes) -> bytes:
    try:
        return token.encode("ascii") if isinstance(token, str) else token
    except UnicodeEncodeError:
        raise InvalidToken("not ASCII") from None

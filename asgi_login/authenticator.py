"""One request, from scope to Auth: every check, once, in the one order that is safe."""

import logging
from collections.abc import Sequence
from typing import Any, Generic, TypeVar, cast

from asgi_login import remember, sessions
from asgi_login._asgi import Scope, has_credential_header
from asgi_login.claims import Verified
from asgi_login.config import Config
from asgi_login.csrf import check_origin
from asgi_login.errors import AuthError, CrossOriginRequest, InvalidToken
from asgi_login.state import Attempt, Auth
from asgi_login.tokens import ACCESS, REMEMBER
from asgi_login.transports import BearerTransport, CookieTransport, Transport

UserT = TypeVar("UserT")

_log = logging.getLogger("asgi_login")


class Authenticator(Generic[UserT]):
    """Finds out who sent a request.

    Args:
        configs: The managers, in the order in which they are asked.
    """

    __slots__ = ("_anonymous", "_reads_headers_only", "_rounds", "configs")

    def __init__(self, configs: Sequence[Config]) -> None:
        self.configs: tuple[Config, ...] = tuple(configs)
        self._anonymous = Auth[UserT](self.configs)
        # A transport of the application's own may look anywhere.
        self._reads_headers_only = all(
            type(transport) in {BearerTransport, CookieTransport}
            for config in configs
            for transport in config.transports
        )
        # What the client put into a header on purpose comes before what the browser attached by itself.
        self._rounds = tuple(
            [(config, transports) for config in configs if (transports := _transports(config, ambient=ambient))]
            for ambient in (False, True)
        )

    @property
    def anonymous(self) -> Auth[UserT]:
        """The outcome of a request without a credential."""
        return self._anonymous

    def sees_no_credential(self, scope: Scope) -> bool:
        """Tell without awaiting anything that a request is anonymous, where that is plain."""
        return self._reads_headers_only and not has_credential_header(scope)

    async def authenticate(self, scope: Scope) -> Auth[UserT]:
        """Return who sent this request: an identity, anonymous, or refused with the reason.

        Of several managers the first that accepts a credential wins, otherwise the first error is kept. A
        credential that is bad is never passed over for a cookie: the client said who it wants to be.

        Raises:
            Exception: Whatever the application's user loader or a transport of its own raises.
            RuntimeError: No user loader is registered.
        """
        ended: dict[str, tuple[bytes, bytes]] = {}
        for candidates in self._rounds:
            refused: Attempt | None = None
            for config, transports in candidates:
                found = await self._attempt(scope, config, transports)
                if found is None:
                    continue
                attempt, user = found
                ended.update(attempt.cookies)
                if user is not None or isinstance(attempt.error, CrossOriginRequest):
                    return Auth(self.configs, attempt._replace(cookies=ended) if ended else attempt, user)
                refused = refused or attempt
            if refused is not None:
                return Auth(self.configs, refused._replace(cookies=ended) if ended else refused)
        return self._anonymous

    async def _attempt(
        self, scope: Scope, config: Config, transports: Sequence[Transport]
    ) -> tuple[Attempt, UserT | None] | None:
        """Verify one manager's credential, and go on to its user; None if the request carries none."""
        transport = transports[0]
        try:
            token: str | bytes | None = None
            for transport in transports:
                if token := transport.extract(scope):
                    break
            verified = _verified(config, transport, scope, token)
            if verified is None:
                return None
            if verified.kind == REMEMBER and config.session_cookie is not None:
                # It goes with the cookie that is written, whatever else was looked at.
                transport = config.session_cookie
            if transport.ambient:
                # Before the loader runs: a forged request must not even reach the database.
                problem = check_origin(scope, _trusted_origins(transport))
                if problem is not None:
                    raise CrossOriginRequest(problem)
        except AuthError as error:
            return _refused(config, transport, error.again()), None
        return await self._identify(scope, config, transport, verified)

    async def _identify(
        self, scope: Scope, config: Config, transport: Transport, verified: Verified
    ) -> tuple[Attempt, UserT | None]:
        """Find the user of a verified token, and what became of their session."""
        finding = None if verified.kind == ACCESS else sessions.examine(config, scope, verified)
        if finding is not None and finding.has_ended:
            _log.info("session from %s ended by %s: another client", transport.name, config.name)
            return Attempt(config, transport, cookies=remember.log_out(config)), None
        user = cast(
            "UserT | None", await config.loader.load(cast("str", verified.claims["sub"]), scope, verified.claims)
        )
        if user is None:
            return _refused(config, transport, InvalidToken("no such user"), verified), None
        if finding is None:
            return Attempt(config, transport, verified), user
        if not sessions.has_same_stamp(config, verified, user):
            return _refused(config, transport, InvalidToken("the user's stamp has changed"), verified), None
        continue_session = remember.restore if verified.kind == REMEMBER else sessions.renew
        verified, cookies = continue_session(config, scope, finding, user)
        return Attempt(config, transport, verified, None, finding.is_fresh, cookies), user


def _refused(config: Config, transport: Transport, error: AuthError, ended: Verified | None = None) -> Attempt:
    """Keep the reason; a session that has ended for good is also deleted in the browser."""
    _log.info("%s from %s refused by %s: %s", type(error).__name__, transport.name, config.name, error.reason)
    cookies: sessions.Cookies = remember.log_out(config) if ended is not None and ended.kind != ACCESS else {}
    return Attempt(config, transport, error=config.located(error), cookies=cookies)


def _verified(config: Config, transport: Transport, scope: Scope, token: str | bytes | None) -> Verified | None:
    """Verify the token that a transport has found; where a cookie is gone or expired, what remembers the login."""
    if not token:
        return remember.find(config, scope) if transport.ambient else None
    if not isinstance(transport, CookieTransport):
        return config.tokens.verify(_to_bytes(token))
    try:
        return sessions.read(config, _to_bytes(token))
    except InvalidToken as error:
        restored = remember.find(config, scope) if error.expired else None
        if restored is None:
            raise
        return restored


def _transports(config: Config, *, ambient: bool) -> tuple[Transport, ...]:
    return tuple(transport for transport in config.transports if transport.ambient is ambient)


def _trusted_origins(transport: Transport) -> frozenset[bytes]:
    """Return what a transport trusts; one of the application's own may have no such thing."""
    origins: Any = getattr(transport, "trusted_origins", None)
    return cast("frozenset[bytes]", origins or frozenset())


def _to_bytes(token: str | bytes) -> bytes:
    if not isinstance(token, (str, bytes)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a transport's extract() returns a str, bytes or None, not {type(token).__name__}")
    try:
        return token.encode("ascii") if isinstance(token, str) else token
    except UnicodeEncodeError:
        raise InvalidToken("not ASCII") from None

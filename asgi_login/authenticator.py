"""One request, from scope to Auth: every check, once, in the one order that is safe.

1. The transports, those for headers before those for cookies.
2. The token: its shape, its signature, its claims.
3. The origin, where the browser attached the token by itself.
4. The session: its lifetime, its client; or what remembers it.
5. The user loader.
6. The session's stamp, and its renewal.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from asgi_login import sessions
from asgi_login.auth import Auth
from asgi_login.config import Config
from asgi_login.errors import AuthError, CrossOriginRequest, InvalidToken
from asgi_login.scope import NO_COOKIES, Cookies, CredentialLines, Scope, credential_lines, has_too_many_lines
from asgi_login.tokens import ACCESS, REMEMBER, SESSION, VerifiedToken
from asgi_login.transports import BearerTransport, CookieTransport, Transport, check_origin

UserT = TypeVar("UserT")
Outcome: TypeAlias = tuple[Auth[UserT], Cookies]
"""Who sent a request, and what to write back to the browser: a session that was renewed or has ended."""


class _ClientChanged:
    """What is found where a session is over because its client is another one: nobody, and no mistake."""


_CLIENT_CHANGED: Final = _ClientChanged()
# A credential: its transport, what it says or what is wrong with it, and whether its client is the one that logged in.
_Credential: TypeAlias = tuple[Transport, VerifiedToken | AuthError | _ClientChanged, bool]
_Readers: TypeAlias = tuple[tuple[Transport, Callable[[Sequence[bytes]], bytes | None] | None], ...]

_log = logging.getLogger("asgi_login")


class Authenticator(Generic[UserT]):
    """Finds out who sent a request.

    Args:
        configs: The managers, in the order in which they are asked.

    Attributes:
        anonymous: The outcome of a request without a credential.
    """

    __slots__ = ("_configs", "_looks_at_lines_only", "_sources", "anonymous")

    def __init__(self, configs: Sequence[Config]) -> None:
        self._configs = tuple(configs)
        self.anonymous: Auth[UserT] = Auth(self._configs)
        # What the client put into a header on purpose comes before what the browser attached by itself.
        rounds: tuple[list[_HeaderSource | _CookieSource], ...] = (
            [source for source in map(_HeaderSource, configs) if source.transports],
            [source for source in map(_CookieSource, configs) if source.transports],
        )
        for sources in rounds:
            if sources:
                sources[-1].ends_round = True
        self._sources = (*rounds[0], *rounds[1])
        self._looks_at_lines_only = all(source.looks_at_lines_only for source in self._sources)

    def credentials(self, scope: Scope) -> CredentialLines | None:
        """Return what `authenticate` needs, or None if nothing has to be awaited to see that a request is anonymous."""
        lines = credential_lines(scope)
        if lines is None and not self._looks_at_lines_only and not has_too_many_lines(scope):
            return [], []
        return lines

    async def authenticate(self, scope: Scope, lines: CredentialLines) -> Outcome[UserT]:
        """Return who sent this request: an identity, anonymous, or refused with the reason.

        Of several managers the first that accepts a credential wins, otherwise the first error is kept. A
        credential that is bad is never passed over for a cookie: the client said who it wants to be.

        Raises:
            Exception: Whatever the application's user loader or a transport of its own raises.
            RuntimeError: No user loader is registered.
        """
        written: Cookies = NO_COOKIES
        refused: Auth[UserT] | None = None
        for source in self._sources:
            found = source.find(scope, lines)
            if found is not None:
                transport, token, same_client = found
                user: UserT | None = None
                if isinstance(token, VerifiedToken):
                    loader = source.config.loader
                    user = await loader.call(token.sub, scope, token.claims)
                    if user.__class__ is not loader.user_class:
                        user = await loader.finish(user)
                    if user is not None and token.kind == ACCESS:
                        # It has no session, so that there is nothing more to look at, and nothing to write.
                        return Auth(self._configs, source.config, transport, token, user), written
                auth, cookies = self._conclude(source.config, scope, transport, token, user, same_client=same_client)
                if cookies:
                    written = {**written, **cookies}
                if auth.user is not None or auth.cross_origin_error() is not None:
                    return auth, written
                refused = refused or auth
            if refused is not None and source.ends_round:
                return refused, written
        return self.anonymous, NO_COOKIES

    def _conclude(
        self,
        config: Config,
        scope: Scope,
        transport: Transport,
        token: VerifiedToken | AuthError | _ClientChanged,
        user: UserT | None,
        *,
        same_client: bool,
    ) -> Outcome[UserT]:
        """Return what becomes of a refused credential, of a user who is gone, and of a session."""
        if isinstance(token, _ClientChanged):
            _log.info("session from %s ended by %s: another client", transport.name, config.name)
            return Auth(self._configs, config, transport), sessions.log_out(config)
        if isinstance(token, AuthError):
            return self._refused(config, transport, token), NO_COOKIES
        if user is None:
            auth = self._refused(config, transport, InvalidToken("no such user"))
        elif not sessions.has_same_stamp(config, token, user):
            auth = self._refused(config, transport, InvalidToken("the user's stamp has changed"))
        else:
            if token.kind == REMEMBER:
                token, cookies = sessions.restore_session(config, scope, token, user)
            else:
                token, cookies = sessions.renew_session(config, scope, token, user, same_client=same_client)
            is_fresh = same_client and token.claims.get("fresh") is True
            return Auth(self._configs, config, transport, token, user, None, is_fresh), cookies
        # A session that has ended for good is also deleted in the browser.
        return auth, NO_COOKIES if token.kind == ACCESS else sessions.log_out(config)

    def _refused(self, config: Config, transport: Transport, error: AuthError) -> Auth[UserT]:
        """Keep the reason, and log it."""
        _log.info("%s from %s refused by %s: %s", type(error).__name__, transport.name, config.name, error.reason)
        return Auth(self._configs, config, transport, error=config.fill_in(error))


class _Source:
    """What one manager looks at in one of the two rounds."""

    __slots__ = ("config", "ends_round", "looks_at_lines_only", "transports")

    def __init__(self, config: Config, transports: _Readers) -> None:
        self.config: Config = config
        self.ends_round: bool = False
        self.transports: _Readers = transports
        self.looks_at_lines_only: bool = all(read for _, read in transports)


class _HeaderSource(_Source):
    """What is looked at first: the tokens that the client sends on purpose."""

    __slots__ = ()

    def __init__(self, config: Config) -> None:
        super().__init__(config, _readers(config, BearerTransport, ambient=False))

    def find(self, scope: Scope, lines: CredentialLines) -> _Credential | None:
        """Return a credential, or None if there is none: steps 1 and 2."""
        if not lines[0] and self.looks_at_lines_only:
            return None
        for transport, read in self.transports:
            try:
                token = transport.extract(scope) if read is None else read(lines[0])
                if token:
                    token = token if isinstance(token, bytes) else _to_bytes(token)
                    return transport, self.config.tokens.verify(token), True
            except AuthError as error:
                return transport, error.again(), True
        return None


class _CookieSource(_Source):
    """What is looked at last: the tokens that the browser attaches to requests of every site's."""

    __slots__ = ()

    def __init__(self, config: Config) -> None:
        super().__init__(config, _readers(config, CookieTransport, ambient=True))

    def find(self, scope: Scope, lines: CredentialLines) -> _Credential | None:
        """Return a credential, or None if there is none: steps 1 to 4."""
        if not lines[1] and self.looks_at_lines_only:
            return None
        config, transport = self.config, self.transports[0][0]
        try:
            token: str | bytes | None = None
            for transport, read in self.transports:
                token = transport.extract(scope) if read is None else read(lines[1])
                if token:
                    break
            verified = _session(config, scope, transport, _to_bytes(token) if token else None)
            if verified is None:
                return None
            if verified.kind == REMEMBER and config.session_cookie is not None:
                # It goes with the cookie that is written, whatever else was looked at.
                transport = config.session_cookie
            # Before the loader runs: a forged request must not even reach the database.
            problem = check_origin(scope, _trusted_origins(transport))
            if problem is not None:
                raise CrossOriginRequest(problem)
        except AuthError as error:
            return transport, error.again(), True
        same_client = verified.kind != SESSION or sessions.is_same_client(config, scope, verified)
        if not same_client and sessions.ends_with_client(config, verified):
            return transport, _CLIENT_CHANGED, False
        return transport, verified, same_client


def _readers(config: Config, ours: type[BearerTransport | CookieTransport], *, ambient: bool) -> _Readers:
    """Return the transports with what reads a token out of lines that were read already.

    A class derived from ours may look elsewhere: it is given the whole scope, like any other.
    """
    return tuple(
        (one, one.read if isinstance(one, ours) and type(one) is ours else None)
        for one in config.transports
        if one.ambient is ambient
    )


def _session(config: Config, scope: Scope, transport: Transport, token: bytes | None) -> VerifiedToken | None:
    """Verify what came in a cookie; where that is gone or expired, what remembers the login."""
    if not token:
        return sessions.find_remembered(config, scope)
    if not isinstance(transport, CookieTransport):
        return config.tokens.verify(token)
    try:
        return sessions.read_session(config, token)
    except InvalidToken as error:
        restored = sessions.find_remembered(config, scope) if error.expired else None
        if restored is None:
            raise
        return restored


def _trusted_origins(transport: Transport) -> frozenset[bytes]:
    """Return what a transport trusts; one of the application's own may have no such thing."""
    origins: Any = getattr(transport, "trusted_origins", None)
    return cast("frozenset[bytes]", origins or frozenset())


def _to_bytes(token: str | bytes) -> bytes:
    if isinstance(token, bytes):
        return token
    if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a transport's extract() returns a str, bytes or None, not {type(token).__name__}")
    try:
        return token.encode("ascii")
    except UnicodeEncodeError:
        raise InvalidToken("not ASCII") from None

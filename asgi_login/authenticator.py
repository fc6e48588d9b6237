"""One request, from scope to Auth: every check, once, in the one order that is safe."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast

from asgi_login import remember, sessions
from asgi_login._asgi import NO_COOKIES, Cookies, CredentialLines, Scope, credential_lines
from asgi_login.config import Config
from asgi_login.csrf import check_origin
from asgi_login.errors import AuthError, CrossOriginRequest, InvalidToken
from asgi_login.state import Auth
from asgi_login.tokens import ACCESS, REMEMBER, SESSION
from asgi_login.transports import BearerTransport, CookieTransport, Transport
from asgi_login.verified import Verified

UserT = TypeVar("UserT")
Outcome: TypeAlias = tuple[Auth[UserT], Cookies]
"""Who sent a request, and what to write back to the browser: a session that was renewed or has ended."""

_Found: TypeAlias = tuple[Transport, Verified | AuthError | None, bool]
_Readers: TypeAlias = tuple[tuple[Transport, Callable[[Sequence[bytes]], bytes | None] | None], ...]

_log = logging.getLogger("asgi_login")


class Authenticator(Generic[UserT]):
    """Finds out who sent a request.

    Args:
        configs: The managers, in the order in which they are asked.

    Attributes:
        anonymous: The outcome of a request without a credential.
    """

    __slots__ = ("_reads_headers_only", "_steps", "anonymous", "configs")

    def __init__(self, configs: Sequence[Config]) -> None:
        self.configs: tuple[Config, ...] = tuple(configs)
        self.anonymous: Auth[UserT] = Auth(self.configs)
        # What the client put into a header on purpose comes before what the browser attached by itself.
        rounds: tuple[list[_HeaderStep | _CookieStep], ...] = (
            [step for step in map(_HeaderStep, configs) if step.transports],
            [step for step in map(_CookieStep, configs) if step.transports],
        )
        for steps in rounds:
            if steps:
                steps[-1].ends_round = True
        self._steps = (*rounds[0], *rounds[1])
        self._reads_headers_only = all(step.reads_headers_only for step in self._steps)

    def credentials(self, scope: Scope) -> CredentialLines | None:
        """Return what `authenticate` needs, or None if nothing has to be awaited to see that a request is anonymous."""
        return credential_lines(scope) or (None if self._reads_headers_only else ([], []))

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
        for step in self._steps:
            found = step.find(scope, lines)
            if found is not None:
                transport, token, same_client = found
                user: UserT | None = None
                if isinstance(token, Verified):
                    user = await step.config.loader.load(token.sub, scope, token.claims)
                    if user is not None and token.kind == ACCESS:
                        return Auth(self.configs, step.config, transport, token, user), written
                auth, cookies = self._conclude(step.config, scope, transport, token, user, same_client=same_client)
                if cookies:
                    written = {**written, **cookies}
                if auth.is_final():
                    return auth, written
                refused = refused or auth
            if refused is not None and step.ends_round:
                return refused, written
        return self.anonymous, NO_COOKIES

    def _conclude(
        self,
        config: Config,
        scope: Scope,
        transport: Transport,
        token: Verified | AuthError | None,
        user: UserT | None,
        *,
        same_client: bool,
    ) -> Outcome[UserT]:
        """Return what becomes of a refused credential, of a user who is gone, and of a session."""
        if not isinstance(token, Verified):
            cookies = NO_COOKIES if token is not None else remember.log_out(config)
            return self._refused(config, transport, token), cookies
        if user is None:
            auth = self._refused(config, transport, InvalidToken("no such user"))
        elif not sessions.has_same_stamp(config, token, user):
            auth = self._refused(config, transport, InvalidToken("the user's stamp has changed"))
        else:
            if token.kind == REMEMBER:
                token, cookies = remember.restore(config, scope, token, user)
            else:
                token, cookies = sessions.renew(config, scope, token, user, same_client=same_client)
            is_fresh = same_client and token.claims.get("fresh") is True
            return Auth(self.configs, config, transport, token, user, None, is_fresh), cookies
        # A session that has ended for good is also deleted in the browser.
        return auth, NO_COOKIES if token.kind == ACCESS else remember.log_out(config)

    def _refused(self, config: Config, transport: Transport, error: AuthError | None) -> Auth[UserT]:
        """Keep the reason, and log it; without one a session has ended, and nobody is to be blamed."""
        if error is None:
            _log.info("session from %s ended by %s: another client", transport.name, config.name)
            return Auth(self.configs, config, transport)
        _log.info("%s from %s refused by %s: %s", type(error).__name__, transport.name, config.name, error.reason)
        return Auth(self.configs, config, transport, error=config.located(error))


class _HeaderStep:
    """What one manager looks at first: the tokens that the client sends on purpose."""

    __slots__ = ("config", "ends_round", "reads_headers_only", "transports")

    def __init__(self, config: Config) -> None:
        self.config: Config = config
        self.ends_round: bool = False
        self.transports: _Readers = _readers(config, ambient=False)
        self.reads_headers_only: bool = all(read for _, read in self.transports)

    def find(self, scope: Scope, lines: CredentialLines) -> _Found | None:
        """Return a credential's transport and the token, or what is wrong with it; None if there is none."""
        if not lines[0] and self.reads_headers_only:
            return None
        for transport, read in self.transports:
            try:
                token = transport.extract(scope) if read is None else read(lines[0])
                if token:
                    return transport, self.config.tokens.verify(_to_bytes(token)), True
            except AuthError as error:
                return transport, error.again(), True
        return None


class _CookieStep:
    """What one manager looks at last: the tokens that the browser attaches to requests of every site's."""

    __slots__ = ("config", "ends_round", "reads_headers_only", "transports")

    def __init__(self, config: Config) -> None:
        self.config: Config = config
        self.ends_round: bool = False
        self.transports: _Readers = _readers(config, ambient=True)
        self.reads_headers_only: bool = all(read for _, read in self.transports)

    def find(self, scope: Scope, lines: CredentialLines) -> _Found | None:
        """Return a credential's transport, the token or what is wrong with it, and whether the client is the same.

        The token is None where the session is over because the client is another one; nothing at all is returned
        where there is no credential.
        """
        config, transport = self.config, self.transports[0][0]
        if not lines[1] and self.reads_headers_only:
            return None
        try:
            token: str | bytes | None = None
            for transport, read in self.transports:
                token = transport.extract(scope) if read is None else read(lines[1])
                if token:
                    break
            verified = _session(config, transport, lines, _to_bytes(token) if token else None)
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
            return transport, None, False
        return transport, verified, same_client


def _readers(config: Config, *, ambient: bool) -> _Readers:
    """Return the transports with what reads a token out of lines that were read already.

    A class derived from ours may look elsewhere: it is given the whole scope, like any other.
    """
    return tuple(
        (one, one.read if type(one) is BearerTransport or type(one) is CookieTransport else None)
        for one in config.transports
        if one.ambient is ambient
    )


def _session(config: Config, transport: Transport, lines: CredentialLines, token: bytes | None) -> Verified | None:
    """Verify what came in a cookie; where that is gone or expired, what remembers the login."""
    if not token:
        return remember.find(config, lines)
    if not isinstance(transport, CookieTransport):
        return config.tokens.verify(token)
    try:
        return sessions.read(config, token)
    except InvalidToken as error:
        restored = remember.find(config, lines) if error.expired else None
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

"""One request, from scope to Auth: every check, once, in the one order that is safe."""

import logging
from collections.abc import Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast

from asgi_login import remember, sessions
from asgi_login._asgi import NO_COOKIES, Cookies, CredentialLines, Scope, credential_lines
from asgi_login.claims import Verified
from asgi_login.config import Config
from asgi_login.csrf import check_origin
from asgi_login.errors import AuthError, CrossOriginRequest, InvalidToken
from asgi_login.state import Auth
from asgi_login.tokens import ACCESS, REMEMBER, SESSION
from asgi_login.transports import BearerTransport, CookieTransport, Transport

UserT = TypeVar("UserT")
Outcome: TypeAlias = tuple[Auth[UserT], Cookies]
"""Who sent a request, and what to write back to the browser: a session that was renewed or has ended."""

_log = logging.getLogger("asgi_login")


class Authenticator(Generic[UserT]):
    """Finds out who sent a request.

    Args:
        configs: The managers, in the order in which they are asked.
    """

    __slots__ = ("_anonymous", "_reads_headers_only", "_steps", "configs")

    def __init__(self, configs: Sequence[Config]) -> None:
        self.configs: tuple[Config, ...] = tuple(configs)
        self._anonymous = Auth[UserT](self.configs)
        # What the client put into a header on purpose comes before what the browser attached by itself.
        rounds = [[_Step(config, ambient=ambient) for config in configs] for ambient in (False, True)]
        for one in rounds:
            one[-1].ends_round = True
        self._steps = tuple(step for one in rounds for step in one)
        self._reads_headers_only = not any(step.looks_anywhere for step in self._steps)

    @property
    def anonymous(self) -> Auth[UserT]:
        """The outcome of a request without a credential."""
        return self._anonymous

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
                if auth.is_authenticated or isinstance(auth.error, CrossOriginRequest):
                    return auth, written
                refused = refused or auth
            if refused is not None and step.ends_round:
                return refused, written
        return self._anonymous, NO_COOKIES

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


class _Step:
    """What one manager looks at: at its transports for headers, or at those that the browser sends by itself."""

    __slots__ = ("_ambient", "_transports", "config", "ends_round", "looks_anywhere")

    def __init__(self, config: Config, *, ambient: bool) -> None:
        self.config: Config = config
        self.ends_round: bool = False
        self._ambient = ambient
        # Ours are given the lines that were read already; a class derived from them may look elsewhere.
        self._transports = tuple(
            (one, one.read if type(one) is BearerTransport or type(one) is CookieTransport else None)
            for one in config.transports
            if one.ambient is ambient
        )
        self.looks_anywhere: bool = any(read is None for _, read in self._transports)

    def find(self, scope: Scope, lines: CredentialLines) -> tuple[Transport, Verified | AuthError | None, bool] | None:
        """Return a credential's transport, the token or what is wrong with it, and whether the client is the same.

        The token is None where the session is over because the client is another one; nothing at all is returned
        where there is no credential.
        """
        found = lines[self._ambient]
        if not self._transports or not (found or self.looks_anywhere):
            return None
        transport: Transport = self._transports[0][0]
        try:
            token: str | bytes | None = None
            for transport, read in self._transports:
                token = transport.extract(scope) if read is None else read(found)
                if token:
                    break
            if not self._ambient:
                return (transport, self.config.tokens.verify(_to_bytes(token)), True) if token else None
            verified = _session(self.config, transport, lines, token)
            if verified is None:
                return None
            if verified.kind == REMEMBER and self.config.session_cookie is not None:
                # It goes with the cookie that is written, whatever else was looked at.
                transport = self.config.session_cookie
            # Before the loader runs: a forged request must not even reach the database.
            problem = check_origin(scope, _trusted_origins(transport))
            if problem is not None:
                raise CrossOriginRequest(problem)
        except AuthError as error:
            return transport, error.again(), True
        same_client = verified.kind != SESSION or sessions.is_same_client(self.config, scope, verified)
        if not same_client and sessions.ends_with_client(self.config, verified):
            return transport, None, False
        return transport, verified, same_client


def _session(
    config: Config, transport: Transport, lines: CredentialLines, token: str | bytes | None
) -> Verified | None:
    """Verify what came in a cookie; where that is gone or expired, what remembers the login."""
    if not token:
        return remember.find(config, lines)
    if not isinstance(transport, CookieTransport):
        return config.tokens.verify(_to_bytes(token))
    try:
        return sessions.read(config, _to_bytes(token))
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
    if not isinstance(token, (str, bytes)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a transport's extract() returns a str, bytes or None, not {type(token).__name__}")
    try:
        return token if isinstance(token, bytes) else token.encode("ascii")
    except UnicodeEncodeError:
        raise InvalidToken("not ASCII") from None

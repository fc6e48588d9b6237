"""Finds out who sent a request, for one manager: every check, once, in the one safe order.

1. The transports: headers before cookies; the first that finds a token.
2. The token: its shape, its signature, its claims.
3. The origin, where the browser attached the token by itself.
4. The session: its lifetime and its client; or the remember token that restores it. Then, with a store, whether the
   token, its session or its user's logins were ended.
5. The user loader.
6. The session's stamp, and its renewal. With a store, the remember token that has restored it is used up.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeAlias, TypeVar, cast

from asgi_login import sessions
from asgi_login.auth import AnyAuth, Auth, auth_of_config, token_of
from asgi_login.base_authenticator import BaseAuthenticator, Outcome
from asgi_login.config import Config
from asgi_login.credentials import OpaqueCredential, original
from asgi_login.errors import AuthError, InvalidToken, ServiceUnavailable
from asgi_login.events import EventKind
from asgi_login.loader import UserLoader
from asgi_login.readers import Credential, Reader, first_token, readers_of
from asgi_login.scope import (
    NO_COOKIES,
    NO_LINES,
    Cookies,
    Scope,
    credential_lines,
    request_line,
)
from asgi_login.stores import Revocation
from asgi_login.tokens import ACCESS, REMEMBER, SESSION, TokenCodec, UnknownKey, VerifiedToken
from asgi_login.transports import BearerTransport, CookieTransport, OriginCheck, Transport

UserT = TypeVar("UserT")
Renew: TypeAlias = Callable[..., tuple[VerifiedToken, Cookies]]
"""Returns the session, renewed if it is due, and the cookie to write: `renew_session`, or `keep_session`."""

# What events call a transport that is no transport of the manager's.
REMEMBER_TOKEN: Final = "remember_token"  # noqa: S105 - a name
_log: Final = logging.getLogger("asgi_login")


class Authenticator(BaseAuthenticator, Generic[UserT]):
    """Finds out who sent a request, for one manager.

    Args:
        config: The settings of the manager.
        renew: What becomes of a session that is in order, of the functions of `sessions`.
        is_alone: Whether no other manager is asked about the same requests: what this one refuses as somebody else's
            may be theirs.
        writes: Whether the cookies that it returns are written.

    Attributes:
        config: The settings.
        headers: What reads a token that the client has put into a header.
        cookies: What reads one that the browser has attached by itself; the remember token comes last.
        reads_lines_only: Whether the transports read only the Authorization and Cookie lines.
    """

    __slots__ = (
        "_is_alone",
        "_is_stamped",
        "_loader",
        "_origins",
        "_renew",
        "_revocation",
        "_subscription",
        "_tokens",
        "_writes",
        "config",
        "cookies",
        "headers",
        "reads_lines_only",
    )

    def __init__(
        self, config: Config, renew: Renew = sessions.renew_session, *, is_alone: bool = True, writes: bool = True
    ) -> None:
        self.config: Config = config
        self._writes = writes
        self._is_alone = is_alone
        self._renew = renew
        # Requests ask for these, and compiled code reads its own attributes faster than those of the settings.
        self._tokens: TokenCodec = config.tokens
        self._loader: UserLoader = config.loader
        self._origins: OriginCheck = config.origins
        self._revocation: Revocation | None = config.revocation
        # Few managers have a stamp; the others do without a call.
        self._is_stamped = config.sessions is not None and config.sessions.stamp is not None
        super().__init__(Auth(config), settles=config.revocation is not None and config.remember_cookie is not None)
        self._read_transports()
        self._subscription = config.all_transports.subscribe(self._read_transports)

    def _read_transports(self) -> None:
        config = self.config
        # A header that the client set on purpose comes before a cookie that the browser attached by itself.
        self.headers: tuple[Reader, ...] = readers_of(
            BearerTransport, (one for one in config.transports if not one.ambient)
        )
        ambient = [one for one in config.transports if one.ambient]
        # A header still comes before a cookie, as Basic does.
        ambient.sort(key=lambda one: isinstance(original(one), CookieTransport))
        if config.remember_cookie is not None and config.tokens.keys.can_sign:
            ambient.append(config.remember_cookie)
        self.cookies: tuple[Reader, ...] = readers_of(CookieTransport, ambient)
        self.reads_lines_only: bool = all(read for _, read in (*self.headers, *self.cookies))

    def find(self, scope: Scope) -> Credential | None:
        """Return the credential of a request, or None if it is anonymous: step 1."""
        lines = credential_lines(scope)
        if lines is None or (lines is NO_LINES and self.reads_lines_only):
            return None
        found = first_token(self.headers, scope, lines[0]) if lines[0] or not self.reads_lines_only else None
        return found or first_token(self.cookies, scope, lines[1])

    # Every check stands here, in one visible order.
    async def authenticate(self, scope: Scope, found: Credential) -> Outcome[UserT]:  # noqa: C901, PLR0911, PLR0912
        """Return who sent a request with this credential: an identity, or refused with the reason; steps 2 to 6.

        Raises:
            Exception: Whatever the application's user loader raises, but for an AuthError.
            RuntimeError: No user loader is registered.
        """
        config, tokens, (transport, credential) = self.config, self._tokens, found
        ambient, same_client = transport.ambient, True
        try:
            if type(credential) is not bytes:
                if isinstance(credential, AuthError):
                    return self._refused(scope, transport, credential)
                token = await self._ask_application(scope, transport, cast("OpaqueCredential", credential))
            else:
                learning: Awaitable[None] | None = None
                while True:
                    try:
                        token = self._verify(scope, transport, credential) if ambient else tokens.verify(credential)
                        break
                    except UnknownKey as unknown:
                        # Another issuer has changed its keys, or they were not asked for yet: once, then nobody knows.
                        if learning is not None:
                            raise
                        learning = unknown.learn()
                    # Not in the `except`: see RequestHandler.
                    await learning
                if ambient:
                    if token.kind == REMEMBER:
                        # The restored session is written into the session cookie, whichever cookie was read.
                        transport = config.session_cookie or transport
                    # Before the loader runs: a forged request must not even reach the database.
                    self._origins.check(scope, transport)
                    same_client = token.kind != SESSION or sessions.is_same_client(config, scope, token)
                    if not same_client and sessions.ends_with_client(config, token):
                        return self._client_changed(scope, transport, token)
        except AuthError as error:
            return self._refused(scope, transport, error.again())
        try:
            loader = self._loader
            if self._revocation is not None and not self._revocation.clears(token):
                ended = await self._ended(self._revocation, scope, transport, token)
                if ended is not None:
                    return ended
            # The steps are those that UserLoader tells.
            load, load_by_sub = loader.call, loader.by_sub
            user: UserT | None = await (
                load(token.sub, scope, token.claims) if load_by_sub is None else load_by_sub(token.sub)
            )
            kind: type = type(user)
            if kind is not loader.user_class and not (kind is loader.plain_class and user):
                user = await loader.finish(user)
        except AuthError as error:
            return self._refused(scope, transport, error.again(), token)
        if user is None:
            gone = InvalidToken("no such user", reason_code="unknown_user")
            return self._refused(scope, transport, gone, token, self._deletions(token))
        if token.kind == ACCESS:
            return Auth(config, transport, token, user), NO_COOKIES
        outcome = self._session_outcome(scope, transport, token, user, same_client=same_client)
        if token.kind == REMEMBER and outcome[0].is_authenticated:
            outcome = await self._check_use(scope, transport, token, outcome)
        if outcome[1] and config.sessions is not None and config.sessions.listed:
            used = token_of(outcome[0])
            if used is not None:
                await sessions.list_use(config, scope, used)
        return outcome

    async def _ask_application(self, scope: Scope, transport: Transport, credential: OpaqueCredential) -> VerifiedToken:
        """Return what a credential loader knows of a credential that is no token."""
        if transport.ambient:
            # It may ask a database, which a forged request must not reach.
            self._origins.check(scope, transport)
        return await credential.load(scope)

    def _verify(self, scope: Scope, transport: Transport, token: bytes) -> VerifiedToken:
        """Verify a token; if it is in a cookie and the session has expired, verify the remember token instead."""
        config = self.config
        if transport is config.remember_cookie:
            return sessions.read_remembered(config, token)
        if not isinstance(transport, CookieTransport):
            return self._tokens.verify(token)
        try:
            return sessions.read_session(config, token)
        except InvalidToken as error:
            remembered = sessions.find_remembered(config, scope) if error.expired else None
            if remembered is None:
                raise
            return remembered

    def _session_outcome(
        self, scope: Scope, transport: Transport, token: VerifiedToken, user: UserT, *, same_client: bool
    ) -> Outcome[UserT]:
        """Continue, renew, restore or end a session: step 6."""
        config = self.config
        if self._is_stamped and not sessions.has_same_stamp(config, token, user):
            gone = InvalidToken("the user's stamp has changed", reason_code="stamp_changed")
            return self._refused(scope, transport, gone, token, self._deletions(token))
        cookies = NO_COOKIES
        if token.kind == REMEMBER:
            token, cookies = sessions.restore_session(config, scope, token, user)
        elif not same_client or sessions.is_due(config, token):
            before, renew = token, self._renew
            token, cookies = renew(config, scope, before, user, same_client=same_client)
            if cookies and self._writes:
                # Once: from then on the session is not fresh, and is renewed as it is.
                was_fresh = before.claims.get("fresh") is True
                kind: EventKind = "client_changed" if not same_client and was_fresh else "renewed"
                config.events.tell(kind, scope, token, transport=transport.name)
        is_fresh = same_client and token.claims.get("fresh") is True
        return Auth(config, transport, token, user, None, is_fresh), cookies

    async def settle(self, scope: Scope, auth: AnyAuth, cookies: Cookies) -> Cookies:
        """Return those of the cookies that are to be sent, as the response starts."""
        own = auth_of_config(auth, self.config)
        if own is None or not own.is_authenticated:
            return cookies
        return await sessions.settle_remembered(self.config, scope, cookies)

    async def _check_use(
        self, scope: Scope, transport: Transport, token: VerifiedToken, outcome: Outcome[UserT]
    ) -> Outcome[UserT]:
        """Check that the remember token that has restored a session was not used before: `settle` uses it up."""
        config = self.config
        try:
            if not await sessions.check_remembered(config, scope, token):
                outcome = outcome[0], NO_COOKIES
        except InvalidToken as error:
            return self._refused(scope, transport, error.again(), token, sessions.log_out(config))
        except ServiceUnavailable as unanswered:
            return self._refused(scope, transport, unanswered.again(), token)
        if self._writes:
            config.events.tell("restored", scope, token, transport=REMEMBER_TOKEN)
        return outcome

    async def _ended(
        self, revocation: Revocation, scope: Scope, transport: Transport, token: VerifiedToken
    ) -> Outcome[UserT] | None:
        """Ask the store about a token that this process cannot clear by itself: step 4½."""
        try:
            await revocation.judge(token)
        except InvalidToken as error:
            return self._refused(scope, transport, error.again(), token, self._deletions(token))
        return None

    def _deletions(self, token: VerifiedToken) -> Cookies:
        """Return the cookies that end in the browser what a token belongs to that is good for nothing any more."""
        return NO_COOKIES if token.kind == ACCESS else sessions.log_out(self.config)

    def _client_changed(self, scope: Scope, transport: Transport, token: VerifiedToken) -> Outcome[UserT]:
        """End a session whose client has changed. The request goes on without a user."""
        name = self.config.name
        _log.info("%s: session from %s ended by %s: client_changed", request_line(scope), transport.name, name)
        self.config.events.tell("client_changed", scope, token, transport=transport.name)
        return Auth(self.config, transport), sessions.log_out(self.config)

    def _refused(
        self,
        scope: Scope,
        transport: Transport,
        error: AuthError,
        token: VerifiedToken | None = None,
        cookies: Cookies = NO_COOKIES,
    ) -> Outcome[UserT]:
        """Keep the reason, log it and tell of it."""
        where = (request_line(scope), type(error).__name__, transport.name, self.config.name)
        _log.info("%s: %s from %s refused by %s: %s", *where, error.log_text)
        auth: Auth[UserT] = Auth(self.config, transport, error=self.config.complete(error))
        if self._is_alone or not (isinstance(error, InvalidToken) and error.foreign):
            name = REMEMBER_TOKEN if token is not None and token.kind == REMEMBER else transport.name
            self.config.events.tell("refused", scope, token, transport=name, reason=error.reason_code)
        return auth, cookies

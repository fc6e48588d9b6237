"""The logins that a connection lives by, and whether they still count."""

from collections.abc import Callable, Mapping
from typing import cast

from asgi_login.auth import end_of
from asgi_login.config import Config
from asgi_login.errors import AuthError, InvalidToken
from asgi_login.scope import Message, Scope
from asgi_login.tokens import VerifiedToken


class LoginEndedError(OSError):
    """The login of a connection has ended, so that it takes no more messages.

    ASGI has `send` raise an OSError where the client has gone. Frameworks know what to do with that.
    """


class Watch:
    """The logins that a connection lives by: it ends with the first of them.

    Args:
        identities: The token of each, by the settings of its manager; at least one.

    Attributes:
        identities: The same.
        expires_at: When the first of them expires, in seconds since the epoch.
        clock: The clock for that.
    """

    __slots__ = ("_ended", "_streams", "clock", "expires_at", "identities")

    def __init__(self, identities: Mapping[Config, VerifiedToken]) -> None:
        self.identities: Mapping[Config, VerifiedToken] = identities
        self._streams = False
        self._ended: tuple[Config, VerifiedToken] | None = None
        config, token = min(identities.items(), key=lambda one: one[1].valid_until)
        self.expires_at: float = token.valid_until
        self.clock: Callable[[], float] = config.clock

    def end(self) -> AuthError | None:
        """Return why one of the logins has ended, as far as this process knows, or None."""
        for config, token in self.identities.items():
            error = end_of(config, token)
            # A request that was answered for while its key was known goes on; a connection does not.
            if error is None and token.origin is not None and not token.origin.is_current():
                error = InvalidToken("kid: the issuer has no such key any more", reason_code="unknown_key")
            if error is not None:
                self._ended = config, token
                return config.complete(error)
        return None

    def tell(self, scope: Scope, error: AuthError) -> None:
        """Tell the application that a connection is ended with the login that was found to be over."""
        if self._ended is not None:
            config, token = self._ended
            config.events.tell("refused", scope, token, reason=error.reason_code)

    def concerns(self, message: Message) -> bool:
        """Tell whether a part of a response is one of several. A response in one piece was decided before."""
        self._streams = self._streams or bool(message.get("more_body", False))
        return self._streams

    def clears(self) -> bool:
        """Tell whether certainly none of the logins was ended, as far as a process that hears the store can know."""
        return all(
            config.revocation is None or config.revocation.clears(token) for config, token in self.identities.items()
        )

    async def judge(self) -> AuthError | None:
        """Return why one of the logins has ended, asking the store where this process may have missed it.

        Raises:
            ServiceUnavailable: The store must be asked, and does not answer.
        """
        for config, token in self.identities.items():
            if config.revocation is not None and not config.revocation.clears(token):
                try:
                    await config.revocation.judge(token)
                except InvalidToken as error:
                    self._ended = config, token
                    return config.complete(error)
        return None

    def entry_keys(self) -> set[tuple[str, str]]:
        """Return the kind and value of each entry that would end one of the logins."""
        found: set[tuple[str, str]] = set()
        for token in self.identities.values():
            named = ("u", token.sub), ("t", token.claims.get("jti")), ("s", token.claims.get("sid"))
            found.update((kind, value) for kind, value in named if isinstance(value, str))
        return found


def is_caused_by_end(problem: BaseException | None) -> bool:
    """Tell whether an exception is a LoginEndedError, or was raised because of one."""
    seen = 0
    while problem is not None and seen < _MAX_CAUSES:
        if isinstance(problem, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", problem)
            return all(is_caused_by_end(one) for one in group.exceptions)
        if isinstance(problem, LoginEndedError):
            return True
        problem, seen = problem.__cause__ or problem.__context__, seen + 1
    return False


# A chain of exceptions can be a circle.
_MAX_CAUSES = 20

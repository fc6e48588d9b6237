"""What a request changes of its logins: the cookies, what is written to a store, and what is told of it."""

from collections.abc import Awaitable, Callable
from functools import partial

from asgi_login.config import Config
from asgi_login.errors import ServiceUnavailable
from asgi_login.events import EventKind
from asgi_login.scope import NO_COOKIES, Cookies, Scope
from asgi_login.tokens import VerifiedToken


class Changes:
    """What a request has changed so far, and what is done about it as its response starts.

    Attributes:
        cookies: Those of a login or logout.
        writes: What the store is told, in this order, before the response starts.
    """

    __slots__ = ("_cookies_if_unwritten", "_tellings", "cookies", "writes")

    def __init__(self) -> None:
        self.cookies: Cookies = NO_COOKIES
        self.writes: tuple[Callable[[], Awaitable[object]], ...] = ()
        self._cookies_if_unwritten: Cookies = NO_COOKIES
        self._tellings: list[tuple[Config, Callable[[], None]]] = []

    def add(
        self,
        cookies: Cookies,
        *writes: Callable[[], Awaitable[object]] | None,
        cookies_if_unwritten: Cookies = NO_COOKIES,
    ) -> None:
        """Add to what was changed before; of one name, the later cookie counts.

        Args:
            cookies: To be set or deleted.
            writes: What the store is told, where it is not None.
            cookies_if_unwritten: Those that take the place of `cookies` of the same names if that fails.
        """
        self.cookies = {**self.cookies, **cookies}
        self.writes = (*self.writes, *(write for write in writes if write is not None))
        self._cookies_if_unwritten = {**self._cookies_if_unwritten, **cookies_if_unwritten}

    def tell_later(
        self, kind: EventKind, config: Config, scope: Scope, token: VerifiedToken | None, transport: str | None
    ) -> None:
        """Tell of an event of a manager once it is certain, in place of what this request was to tell of it before."""
        self._tellings = [one for one in self._tellings if one[0] is not config]
        self._tellings.append((config, partial(config.events.tell, kind, scope, token, transport=transport)))

    def drop_telling(self, config: Config) -> None:
        """Do not tell what was to be told of a manager: it did not come to that."""
        self._tellings = [one for one in self._tellings if one[0] is not config]

    async def write(self, scope: Scope) -> ServiceUnavailable | None:
        """Tell the store, and return the error if that could not be done."""
        writes, self.writes = self.writes, ()
        try:
            for write in writes:
                await write()
        except ServiceUnavailable as error:
            self.cookies = {**self.cookies, **self._cookies_if_unwritten}
            for config, _ in self._tellings:
                config.events.tell("refused", scope, reason=error.reason_code)
            self._tellings = []
            return error.again()
        return None

    def tell(self) -> None:
        """Tell the applications of what has happened, as the cookies go out."""
        tellings, self._tellings = self._tellings, []
        for _, telling in tellings:
            telling()

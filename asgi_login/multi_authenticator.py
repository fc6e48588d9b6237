"""Finds out who sent a request, for several managers: each has an outcome of its own."""

from collections.abc import Sequence
from typing import Any

from asgi_login.auth import AnyAuth, blocking_error, settings_of, with_others
from asgi_login.authenticator import Authenticator
from asgi_login.base_authenticator import BaseAuthenticator, Outcome
from asgi_login.errors import InvalidToken
from asgi_login.readers import first_token
from asgi_login.scope import NO_COOKIES, NO_LINES, Cookies, CredentialLines, Scope, credential_lines


class MultiAuthenticator(BaseAuthenticator):
    """Finds out who sent a request, for each of several managers.

    Args:
        authenticators: Those of the managers, in the order in which they are asked.
    """

    __slots__ = ("_authenticators", "_reads_lines_only", "_subscriptions")

    def __init__(self, authenticators: Sequence[Authenticator[Any]]) -> None:
        self._authenticators = authenticators
        super().__init__(self._choose({}), settles=any(one.settles for one in authenticators))
        self._look()
        # After the authenticators themselves, which have subscribed before.
        self._subscriptions = [one.config.all_transports.subscribe(self._look) for one in authenticators]

    def _look(self) -> None:
        self._reads_lines_only = all(one.reads_lines_only for one in self._authenticators)

    def find(self, scope: Scope) -> CredentialLines | None:
        """Return the lines in which credentials may be, or None if the request is anonymous."""
        lines = credential_lines(scope)
        return None if lines is NO_LINES and self._reads_lines_only else lines

    async def authenticate(self, scope: Scope, found: CredentialLines) -> Outcome[Any]:
        """Return the first identity, or else the first refusal. It holds the outcomes of the other managers.

        The headers of every manager are read before any cookie. If no manager accepts a token in a header, cookies are
        not tried: the client said who it wants to be.

        Raises:
            Exception: Whatever a user loader raises, but for an AuthError.
        """
        outcomes: dict[str, AnyAuth] = {}
        written: Cookies = NO_COOKIES
        for in_headers in (True, False):
            accepted: set[object] = set()
            foreign: dict[str, object] = {}
            refused: set[object] = set()
            for one in self._authenticators:
                name = one.config.name
                readers, lines = (one.headers, found[0]) if in_headers else (one.cookies, found[1])
                credential = None if name in outcomes else first_token(readers, scope, lines)
                if credential is None:
                    continue
                outcomes[name], cookies = await one.authenticate(scope, credential)
                written = {**written, **cookies}
                if outcomes[name].is_authenticated:
                    accepted.add(credential[1])
                elif _is_foreign(outcomes[name]):
                    foreign[name] = credential[1]
                else:
                    refused.add(credential[1])
            # A token that one manager accepts is that manager's credential, not a bad one of the others. One that has
            # expired or was ended at another is a refusal there: a cookie must not take its place.
            for name in [name for name, token in foreign.items() if token in accepted]:
                del outcomes[name], foreign[name]
            for name, token in foreign.items():
                # Whose it is has told why it is refused.
                if token not in refused:
                    _tell_of_foreign(scope, outcomes[name])
            if refused or foreign:
                break
        return self._choose(outcomes), written

    async def settle(self, scope: Scope, auth: AnyAuth, cookies: Cookies) -> Cookies:
        """Return those of the cookies that are to be sent, as the response starts."""
        for one in self._authenticators:
            cookies = await one.settle(scope, auth, cookies)
        return cookies

    def _choose(self, outcomes: dict[str, AnyAuth]) -> AnyAuth:
        """Choose the outcome that stands for the request, and attach the others."""
        everyone = {one.config.name: outcomes.get(one.config.name, one.anonymous) for one in self._authenticators}
        found = [*outcomes.values(), *everyone.values()]
        # Without an identity, a forged request must not reach the application, whatever else is wrong with it.
        first = next(filter(_has_identity, found), None) or next(filter(blocking_error, found), found[0])
        return with_others(first, {name: auth for name, auth in everyone.items() if auth is not first})


def _tell_of_foreign(scope: Scope, auth: AnyAuth) -> None:
    """Tell of a token that is refused as somebody else's, and that no manager takes."""
    if auth.error is not None:
        settings_of(auth).events.tell("refused", scope, transport=auth.transport, reason=auth.error.reason_code)


def _is_foreign(auth: AnyAuth) -> bool:
    return isinstance(auth.error, InvalidToken) and auth.error.foreign


def _has_identity(auth: AnyAuth) -> bool:
    return auth.is_authenticated

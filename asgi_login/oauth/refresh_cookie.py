"""RefreshCookie: the cookie in which a refresh token travels, so that no script of a page can read it."""

import logging
import time
from collections.abc import Iterable
from typing import Self, TypedDict, Unpack

from asgi_login.attributes import FixedAttributes
from asgi_login.config import Config
from asgi_login.errors import CrossOriginRequest
from asgi_login.oauth.answers import OAuthError
from asgi_login.scope import Scope, header, request_line
from asgi_login.tokens import peek_expiry
from asgi_login.transports import CookieTransport, SameSite, put_cookie

# RFC 6265bis §5.5: browsers keep none longer than 400 days.
_LONGEST = 34_560_000
_log = logging.getLogger("asgi_login")


class RefreshCookieAttributes(TypedDict, total=False):
    """The arguments of a RefreshCookie that do not need TLS."""

    path: str
    samesite: SameSite
    max_age: int | None
    trusted_origins: Iterable[str]


class RefreshCookie(FixedAttributes):
    """A cookie for refresh tokens: HttpOnly, and sent to the endpoints below `path` only.

    Args:
        cookie_name: With the prefix `__Secure-` the browser itself enforces Secure. Different managers need different
            names.
        path: Below which the endpoints lie, as the browser sees them: below a prefix, `/prefix/auth`.
        secure: Whether it travels over TLS only; for development there is `insecure_for_development`.
        samesite: "strict", "lax" or "none".
        max_age: Seconds for which the browser keeps it, never longer than its token lives; None until it is closed.
        partitioned: Whether each embedding site gets a jar of its own (CHIPS).
        trusted_origins: Other origins whose pages may send requests with it, like "https://app.example.com".

    Raises:
        ValueError: A browser would drop this cookie, or an attribute is malformed.
        TypeError: An argument is of the wrong type.
    """

    def __init__(
        self,
        cookie_name: str = "__Secure-refresh-token",
        *,
        path: str = "/auth",
        secure: bool = True,
        samesite: SameSite = "strict",
        max_age: int | None = _LONGEST,
        partitioned: bool = False,
        trusted_origins: Iterable[str] = (),
    ) -> None:
        self._path = path
        self._transport = CookieTransport(
            cookie_name,
            name="refresh",
            path=path,
            secure=secure,
            samesite=samesite,
            max_age=max_age,
            partitioned=partitioned,
            trusted_origins=trusted_origins,
        )

    @classmethod
    def insecure_for_development(
        cls, cookie_name: str = "refresh-token", **same: Unpack[RefreshCookieAttributes]
    ) -> Self:
        """Make a cookie that also travels over plain http, for development on this machine only; arguments as above."""
        return cls(cookie_name, secure=False, **same)

    @property
    def cookie_name(self) -> str:
        """The name of the cookie."""
        return self._transport.cookie_name

    def set_cookie(self, response: object, token: str) -> None:
        """Put a refresh token, such as that of `manager.issue_tokens`, into the cookie on a response.

        Args:
            response: A Starlette, FastAPI, Quart, Litestar or Django response.
            token: A refresh token.

        Raises:
            TypeError: Another kind of response.
            ValueError: Browsers would drop the cookie (more than 4,096 bytes).
        """
        put_cookie(response, self.set_cookie_header(token, now=time.time()))

    def delete_cookie(self, response: object) -> None:
        """Delete the cookie, in a logout view of your own.

        Raises:
            TypeError: Another kind of response than `set_cookie` takes.
        """
        put_cookie(response, self.delete_cookie_header())

    def set_cookie_header(self, token: str, *, now: float) -> tuple[bytes, bytes]:
        """Return the header pair that sets the cookie; `now` is in seconds since the epoch."""
        exp = peek_expiry(token)
        return self._transport.set_cookie_header(token, expires_in=None if exp is None else exp - now)

    def delete_cookie_header(self) -> tuple[bytes, bytes]:
        """Return the header pair that deletes the cookie."""
        return self._transport.delete_cookie_header()

    def read(self, scope: Scope) -> str | None:
        """Return the token in the cookie of a request, or None."""
        value = self._transport.extract(scope)
        return None if value is None else value.decode("latin-1")

    def check_endpoint(self, path: str) -> None:
        """Check that browsers send the cookie to an endpoint.

        Raises:
            ValueError: They would not.
        """
        # The cookie's path may begin with the prefix that the application is served below.
        starts = [self._path[at:] for at, letter in enumerate(self._path) if letter == "/"]
        if self._path != "/" and not any(
            f"{path}/".startswith(f"{start.rstrip('/')}/") for start in starts if start != "/"
        ):
            raise ValueError(
                f"browsers would not send the cookie {self.cookie_name!r} of the path {self._path!r} to {path!r}: pass "
                f"RefreshCookie(path={path.rpartition('/')[0] or '/'!r}), or the path below which both endpoints lie"
            )

    def check_request(self, config: Config, scope: Scope) -> None:
        """Check that no other site has made the browser send a request.

        Raises:
            OAuthError: One has.
        """
        problem = config.origins.problem(scope, self._transport.trusted_origins)
        if problem is not None:
            _log.info("%s: CrossOriginRequest: cross_origin: %s", request_line(scope), problem)
            config.events.tell("refused", scope, transport="refresh_token", reason="cross_origin")
            error, vary = CrossOriginRequest, (b"vary", b"Origin, Sec-Fetch-Site")
            raise OAuthError(error.error, error.description, status=error.status, headers=[vary])

    def warn_if_dropped(self, scope: Scope) -> None:
        """Log why a browser will not keep the cookie that the answer to a request sets."""
        if self._transport.is_dropped_by(header(scope, b"origin") or b""):
            _log.warning(
                "%s: comes over plain http, where browsers drop the Secure cookie of the refresh token: serve the site "
                "over https, or in development use RefreshCookie.insecure_for_development()",
                request_line(scope),
            )

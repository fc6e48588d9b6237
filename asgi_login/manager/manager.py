"""LoginManager: settings, the user loader, issuing tokens, and logging browsers in and out."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic

from asgi_login.attributes import FixedAttributes
from asgi_login.config import Config, warn_of_relative_next
from asgi_login.credentials import Transports
from asgi_login.errors import AuthError, ExceptionOrClass
from asgi_login.events import Event, Events
from asgi_login.loader import UserLoader
from asgi_login.manager.in_hand import InHand
from asgi_login.manager.issuing import Issuing
from asgi_login.manager.loading import Loading
from asgi_login.manager.logging_in import LoggingIn
from asgi_login.manager.no_dependency import NotADependency
from asgi_login.manager.revoking import Revoking
from asgi_login.manager.settings_elsewhere import SET_ELSEWHERE
from asgi_login.manager.store_settings import keep_of, revocation_of
from asgi_login.resource import Resource, audience_with
from asgi_login.settings import Refresh, Sessions, positive_timedelta
from asgi_login.stores import Store
from asgi_login.tokens import KeySet, Secret, check_scope_names, claim_rules, codec_for, peek_expiry
from asgi_login.transports import BearerTransport, CookieTransport, OriginCheck, Transport, put_cookie

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    UserT = TypeVar("UserT", default=object)
else:
    # Python has defaults from 3.13 on.
    from typing import TypeVar

    UserT = TypeVar("UserT")


class LoginManager(
    Loading[UserT], Issuing, LoggingIn[UserT], InHand[UserT], Revoking, FixedAttributes, NotADependency, Generic[UserT]
):
    """Holds the settings of an application's logins, loads its users and issues its tokens.

    Args:
        secret: The key, in one of these forms, or a sequence of them, of which the first signs and all verify:
            a str or bytes of at least 32 random bytes; a PEM together with `algorithm`; a dict with "private_key"
            and "password" for an encrypted PEM; an object with `get_secret_value()` that hides one of these, like
            pydantic's SecretStr; a Key; an Issuer of asgi_login.issuers, for the keys of an identity provider.
        token_url: Where clients log in, for OpenAPI and documentation; None if tokens come from elsewhere.
        algorithm: The algorithm of a secret that is not a Key: "HS256", or "RS256" and others for a PEM.
        transports: Where tokens travel. Headers are read before cookies.
        default_expiry: How long access tokens live, as a timedelta.
        scopes: The OAuth scopes of the application, each with a description, for OpenAPI.
        issuer: The claim `iss` of the manager's own tokens, which is written and required; of several, the first is
            written and each is accepted. None writes none and accepts any.
        audience: The claim `aud` that is written and required; of several, the first is written and each is accepted.
            None writes none and refuses tokens that have one.
        leeway: By how much clocks may differ, at most 5 minutes.
        public_url: The origin of this site, like "https://shop.example.com", for `next` if the login page is on another
            site.
        insecure_any_audience: Accept any `aud`, for issuers that send none or a useless one.
        sessions: Settings of browser logins, or None for an API only.
        redirect_to: Where a browser without a login is redirected: a path, an absolute URL, or with the Starlette and
            FastAPI adapters the name of a route.
        not_authenticated_exception: What decorators raise instead of the library's 401; a class or an instance.
        out_of_scope_exception: What decorators raise instead of the library's 403; a class or an instance.
        error_body: A function from an AuthError to the members of the JSON body, if clients expect others than those of
            RFC 6750: `lambda error: {"detail": error.description}`.
        store: What ends tokens and logins before their time, on every machine: MemoryStore, or RedisStore of
            asgi_login.redis. None ends nothing on the server.
        refresh: Settings of refresh tokens, or None for no refresh tokens. They need a store.
        resource: What the tokens are for, and where clients that have none get one: each Bearer challenge says so, and
            the URL of the Resource is the audience.
        on_event: A function that is told of each Event: logins, logouts, refusals and what else happens to them, for
            metrics and audits. It is called where that happens, also in threads, and never awaited.
        name: A unique name, if several managers serve one application.
        realm: The realm of the WWW-Authenticate challenge (RFC 9110 §11.5).
        token_cache_size: How many verified tokens are cached; 0 turns the cache off.
        clock: Returns the time in seconds since the epoch.

    Raises:
        ValueError, TypeError: A setting that would be unsafe or would never work, with what to write instead.

    Example:
        >>> manager = LoginManager(os.environ["SECRET"], transports=[BearerTransport(), CookieTransport()])
        >>> @manager.user_loader
        ... async def load_user(sub: str) -> User | None:
        ...     return await db.get_user(sub)
    """

    _set_elsewhere = SET_ELSEWHERE

    def __init__(
        self,
        secret: Secret | Sequence[Secret],
        token_url: str | None = "/auth/token",  # noqa: S107 - an address
        *,
        algorithm: str = "HS256",
        transports: Iterable[Transport] = (BearerTransport(),),
        default_expiry: timedelta = timedelta(minutes=15),
        scopes: Mapping[str, str] | None = None,
        issuer: str | Sequence[str] | None = None,
        audience: str | Sequence[str] | None = None,
        leeway: timedelta = timedelta(0),
        public_url: str | None = None,
        insecure_any_audience: bool = False,
        sessions: Sessions | None = Sessions(),  # noqa: B008 - frozen
        redirect_to: str | None = None,
        not_authenticated_exception: ExceptionOrClass | None = None,
        out_of_scope_exception: ExceptionOrClass | None = None,
        error_body: Callable[[AuthError], Mapping[str, object]] | None = None,
        store: Store | None = None,
        refresh: Refresh | None = None,
        resource: Resource | None = None,
        on_event: Callable[[Event], object] | None = None,
        name: str = "default",
        realm: str = "api",
        token_cache_size: int = 4096,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if type(token_cache_size) is not int or token_cache_size < 0:
            raise ValueError("token_cache_size is a whole number of tokens; 0 keeps none")
        rules = claim_rules(
            issuer,
            audience_with(resource, audience, any_audience=insecure_any_audience),
            leeway,
            insecure_any_audience=insecure_any_audience,
            longest=keep_of(store),
        )
        if not isinstance(transports, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"transports takes a sequence: write transports=[{transports!r}]")
        if not isinstance(scopes, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError('scopes maps each scope to a description: {"read": "Read items"}')
        transports, events = tuple(transports), Events(on_event, name, clock)
        cookie = next((one for one in transports if isinstance(one, CookieTransport)), None)
        self._config = Config(
            name=name,
            realm=realm,
            tokens=codec_for(KeySet.of(secret, algorithm), rules, clock=clock, cache_size=token_cache_size),
            loader=UserLoader(),
            clock=clock,
            all_transports=Transports(transports),
            session_cookie=cookie,
            remember_cookie=_remember_cookie(cookie, sessions, name),
            scopes=MappingProxyType(dict(scopes or {})),
            token_url=token_url,
            default_expiry=default_expiry,
            sessions=sessions,
            refresh=refresh,
            resource=resource,
            redirect_to=redirect_to,
            not_authenticated_exception=not_authenticated_exception,
            out_of_scope_exception=out_of_scope_exception,
            public_url=public_url,
            error_body=error_body,
            origins=OriginCheck(clock),
            revocation=revocation_of(
                store,
                name,
                leeway=leeway,
                expiry=default_expiry,
                sessions=sessions,
                refresh=refresh,
                clock=clock,
                on_down=lambda: events.tell("store_down", {}, reason="unavailable"),
            ),
            events=events,
        )
        warn_of_relative_next(self._config)

    @property
    def config(self) -> Config:
        """The settings, frozen."""
        return self._config

    @property
    def name(self) -> str:
        """The name that gates and `Auth.manager` know this manager by."""
        return self._config.name

    @property
    def token_url(self) -> str | None:
        """Where clients log in, or None where tokens come from elsewhere."""
        return self._config.token_url

    def create_access_token(
        self, *, data: Mapping[str, object], expires: timedelta | None = None, scopes: Iterable[str] = ()
    ) -> str:
        """Return a signed access token (RFC 9068).

        Args:
            data: The claims; `sub` names the user. `exp`, `iat` and `jti` are replaced by our own, `iss` and `aud`
                where they are configured.
            expires: How long it lives; None for `default_expiry`.
            scopes: The OAuth scopes it grants.

        Raises:
            TypeError: `sub` is not a non-empty str, or a claim has no JSON form.
            ValueError: `expires` is not positive, a claim would be refused on reading, the token would be longer
                than 16,384 bytes, or this manager has only a public key.

        Example:
            >>> manager.create_access_token(data={"sub": "ada"}, scopes=["orders:read"])
        """
        lifetime = self._config.default_expiry if expires is None else positive_timedelta("expires", expires)
        if isinstance(data, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            data = {**data, **self._config.rev_claim(data.get("sub"))}
        return self._config.tokens.issue_access_token(
            data, lifetime=lifetime, scopes=check_scope_names("scopes", scopes)
        )

    def set_cookie(self, response: object, token: str) -> None:
        """Put a token into this manager's cookie on a response.

        Args:
            response: A Starlette, FastAPI, Quart, Litestar or Django response; for others there is
                `CookieTransport.set_cookie_header`.
            token: An access token.

        Raises:
            TypeError: Another kind of response.
            ValueError: No CookieTransport is configured, or browsers would drop the cookie (more than 4,096 bytes).
        """
        if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"set_cookie(response, token) takes the token as a str, not {type(token).__name__}")
        transport = self.cookie_transport
        exp = peek_expiry(token)
        put_cookie(
            response,
            transport.set_cookie_header(token, expires_in=None if exp is None else exp - self._config.clock()),
        )

    def delete_cookie(self, response: object) -> None:
        """Delete this manager's cookie, by the same attributes that set it.

        Raises:
            TypeError: Another kind of response than `set_cookie` takes.
            ValueError: No CookieTransport is configured.
        """
        put_cookie(response, self.cookie_transport.delete_cookie_header())

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, transports={list(self._config.transports)!r})"


def _remember_cookie(cookie: CookieTransport | None, sessions: Sessions | None, name: str) -> CookieTransport | None:
    if cookie is None or sessions is None:
        return None
    return cookie.companion(f"{name}-remember-token", max_age=int(sessions.remember_at_most.total_seconds()))

"""The settings of a manager, frozen and validated. Other modules take these instead of the manager."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from asgi_login.credentials import Transports
from asgi_login.errors import (
    AuthError,
    ExceptionOrClass,
    InvalidToken,
    LoginNotFresh,
    NotAuthenticated,
    check_exception,
)
from asgi_login.events import Events
from asgi_login.loader import UserLoader, is_async_callable
from asgi_login.resource import Resource
from asgi_login.settings import Refresh, Sessions, check_login_url, check_type, is_route_name, positive_timedelta
from asgi_login.stores import Revocation
from asgi_login.tokens import TokenCodec, check_scope_names
from asgi_login.transports import CookieTransport, OriginCheck, Transport, parse_origins

_NAME = re.compile(r"[A-Za-z0-9._-]+")
# RFC 9110 §5.6.4 without quoted-pairs; the realm stands in a quoted string.
_REALM = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
DEFAULT_TOKEN_URL: Final = "/auth/token"  # noqa: S105 - an address
_log = logging.getLogger("asgi_login")


# Without eq: nobody compares settings, and generating that code takes as long as the rest of the module.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Config:
    """Everything about one manager that a request needs to know."""

    name: str
    realm: str
    tokens: TokenCodec = field(repr=False)
    loader: UserLoader = field(repr=False)
    clock: Callable[[], float] = field(repr=False)
    all_transports: Transports
    session_cookie: CookieTransport | None
    remember_cookie: CookieTransport | None
    scopes: Mapping[str, str]
    token_url: str | None
    default_expiry: timedelta
    sessions: Sessions | None
    refresh: Refresh | None
    resource: Resource | None
    redirect_to: str | None
    not_authenticated_exception: ExceptionOrClass | None
    out_of_scope_exception: ExceptionOrClass | None
    public_url: str | None
    error_body: Callable[[AuthError], Mapping[str, object]] | None
    origins: OriginCheck = field(repr=False)
    revocation: Revocation | None = field(repr=False)
    events: Events = field(repr=False)
    # Names of routes that stand in these settings, and the paths that an adapter has found for them.
    routes: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        check_type("name", self.name, str)
        check_type("realm", self.realm, str)
        check_type("token_url", self.token_url, str, type(None))
        check_type("sessions", self.sessions, Sessions, type(None))
        check_type("refresh", self.refresh, Refresh, type(None))
        if not callable(self.clock):
            raise TypeError("clock is a function that returns seconds since the epoch, like time.time")
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name {self.name!r}: use letters, digits, '.', '-' and '_'")
        if not _REALM.fullmatch(self.realm):
            raise ValueError("realm stands in a quoted header value: use visible ASCII without quotes and backslashes")
        positive_timedelta("default_expiry", self.default_expiry)
        check_scope_names("scopes", self.scopes)
        check_login_url("redirect_to", self.redirect_to)
        _check_public_url(self.public_url)
        check_exception("not_authenticated_exception", self.not_authenticated_exception)
        check_exception("out_of_scope_exception", self.out_of_scope_exception)
        if self.error_body is not None and (not callable(self.error_body) or is_async_callable(self.error_body)):
            raise TypeError(
                "error_body is a plain function from the AuthError to the members of the JSON body, like "
                'lambda error: {"detail": error.description}'
            )
        self._check_keys_of_others()
        self._check_verify_only()

    def _check_keys_of_others(self) -> None:
        keys, rules = self.tokens.keys, self.tokens.rules
        if keys.has_others and rules.audience is None and not rules.any_audience:
            raise ValueError(
                f"a manager with {'an Issuer' if keys.foreign else 'a public key'} must name its audience=, or an ID "
                "token made for another service logs its user in here; if the issuer sends no usable aud, say "
                "insecure_any_audience=True"
            )
        for one in keys.foreign:
            if one.url in rules.issuers:
                raise ValueError(
                    f"issuer= is what tokens of your own keys say, and {one.url!r} is an Issuer, whose tokens say so "
                    "anyway: leave it out"
                )

    def _check_verify_only(self) -> None:
        if self.tokens.keys.can_sign:
            return
        if self.refresh is not None:
            raise ValueError(
                "refresh= needs a key that signs, and this manager has only a public one: pass the private key, or "
                "leave refresh tokens to the service that issues tokens"
            )
        if self.sessions is not None and self.sessions.protection == "strong":
            raise ValueError(
                'protection="strong" needs a key that signs, and this manager has only a public one: '
                "pass the private key, or sessions=None"
            )
        if self.sessions is not None and self.sessions.stamp is not None:
            raise ValueError(
                "Sessions(stamp=) needs a key that signs, and this manager has only a public one: pass the private "
                "key, or leave the stamp to the service that logs users in"
            )

    @property
    def transports(self) -> tuple[Transport, ...]:
        """Where credentials travel, in the order in which they are asked; those of credential loaders come last."""
        return self.all_transports.every

    @property
    def fresh_for(self) -> float:
        """Seconds for which a proof of identity counts as fresh."""
        return (self.sessions or Sessions()).fresh_for.total_seconds()

    def rev_claim(self, sub: object) -> dict[str, object]:
        """Return the claim `rev` of a token that is issued by a process which knows that its user was logged out.

        So a login in the same second as "log out everywhere" is not ended by it.
        """
        cut_off = None if self.revocation is None or type(sub) is not str else self.revocation.known_cut_off(sub)
        return {} if cut_off is None else {"rev": cut_off}

    def complete(self, error: AuthError) -> AuthError:
        """Add what an error takes from the settings, and return it: its realm, its body, where a browser logs in."""
        error.realm = self.realm
        error.public_url = self.public_url
        error.error_body = self.error_body
        self.name_resource(error)
        if error.status == 401:  # noqa: PLR2004
            error.other_challenges = self.all_transports.challenges(self.realm)
        if isinstance(error, LoginNotFresh):
            url = self.sessions.reauthenticate_at if self.sessions else None
        else:
            url = self.redirect_to if isinstance(error, (NotAuthenticated, InvalidToken)) else None
        error.login_is_route = url is not None and is_route_name(url)
        # A route name that no adapter has resolved is not an address.
        error.login_url = self.routes.get(url) if url is not None and is_route_name(url) else url
        return error

    def name_resource(self, error: AuthError, scopes: tuple[str, ...] = ()) -> AuthError:
        """Add to an error where clients learn how to get a token, and for which scopes, and return it.

        Args:
            error: It is changed.
            scopes: What is needed here; if that is nothing in particular, the challenge names those of the resource.
        """
        if self.resource is None:
            return error
        error.resource_metadata = self.resource.metadata_url
        if error.status == 401:  # noqa: PLR2004
            error.required = scopes or tuple(self.resource.scopes or ())
        return error


def warn_of_relative_next(config: Config) -> None:
    """Log which login pages may be on another site that cannot send the browser back."""
    reauthenticate_at = None if config.sessions is None else config.sessions.reauthenticate_at
    urls = {"redirect_to": config.redirect_to, "reauthenticate_at": reauthenticate_at}
    for argument, url in urls.items():
        if url is not None and "://" in url and config.public_url is None:
            _log.warning(
                "%s=%r: if this is another site, it cannot send the browser back, because `next` is a path; pass "
                "public_url='https://...' with the origin of your own site, or write a path if it is a page of yours",
                argument,
                url,
            )


def _check_public_url(url: str | None) -> None:
    check_type("public_url", url, str, type(None))
    if url is not None and not (parse_origins((url,), "public_url") and url.startswith(("http://", "https://"))):
        raise ValueError(f"public_url is the origin of this site, like 'https://shop.example.com'; not {url!r}")


class HasConfig(Protocol):
    """A manager, seen from the rooms below it."""

    @property
    def config(self) -> Config:
        """Its settings."""
        ...

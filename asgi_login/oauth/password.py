"""What a password brings: the application checks it, and says in a Grant what may be issued (RFC 6749 §4.3).

RFC 9700 §2.4 forbids this grant where somebody else's client would see the password. It is for an application's own
clients, and for the Authorize button of OpenAPI's pages.
"""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from asgi_login.config import Config
from asgi_login.errors import InvalidToken
from asgi_login.grant import Grant
from asgi_login.loader import Callback
from asgi_login.oauth.answers import OAuthError
from asgi_login.refresh import ScopeTooWide, TokenPair, issue_pair
from asgi_login.scope import Scope
from asgi_login.sessions import own_claims
from asgi_login.tokens import ACCESS

PasswordCheck: TypeAlias = Callable[..., Grant | None] | Callable[..., Awaitable[Grant | None]]
"""A function of a name and a password, and with a parameter named `scope` of the ASGI scope too."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What is issued where a manager has no refresh tokens."""

    access_token: str = field(repr=False)
    expires_in: int
    scope: str
    refresh_token: None = None


async def check_password(check: Callback, form: Mapping[str, str], scope: Scope) -> Grant:
    """Return what the application grants to whoever knows the name and the password in a form.

    Raises:
        Exception: Whatever the application's function raises.
        InvalidToken: It grants nothing.
        OAuthError: A parameter is missing.
        TypeError: It returns something else.
    """
    username, password = form.get("username"), form.get("password")
    if username is None or password is None:
        raise OAuthError("invalid_request", "username or password is missing")
    grant = await check(username, password, scope=scope)
    if grant is None:
        raise InvalidToken("wrong name or password", reason_code="wrong_password")
    if not isinstance(grant, Grant):
        # `True` would say that somebody is logged in, but not who.
        raise TypeError(f"password= returns a Grant, or None if it is wrong; not {type(grant).__name__}")
    return grant


async def issue_for(
    config: Config, grant: Grant, *, scopes: Sequence[str] | None, client_id: str | None, scope: Scope
) -> TokenPair | AccessToken:
    """Return the first tokens of a login: a pair, or where the manager has no refresh tokens an access token.

    Args:
        config: The settings of the manager.
        grant: What the application grants.
        scopes: Those that the client asks for, or None for all.
        client_id: The client, or None if it does not say.
        scope: Of the request, for the user loader.

    Raises:
        InvalidToken: The grant has ended, or its user is gone.
        ScopeTooWide: More is asked for than is granted.
        ServiceUnavailable: The store does not answer.
    """
    left = math.inf if grant.expires_at is None else grant.expires_at - config.clock()
    if left < 1:
        raise InvalidToken("the grant has ended", reason_code="expired")
    if scopes is not None and not set(scopes) <= set(grant.scopes):
        raise ScopeTooWide("scope: more than is granted")
    granted = tuple(grant.scopes) if scopes is None else tuple(scopes)
    if config.refresh is None:
        issued = _access_token(config, grant, granted, client_id, left)
        config.events.tell("logged_in", scope, sub=grant.sub, transport="password")
        return issued
    return await issue_pair(
        config,
        grant.sub,
        scopes=granted,
        user=await _user(config, grant, scope),
        client_id=client_id,
        claims=grant.claims,
        expires_at=grant.expires_at,
        scope=scope,
        transport="password",
    )


def _access_token(
    config: Config, grant: Grant, scopes: tuple[str, ...], client_id: str | None, left: float
) -> AccessToken:
    now = config.clock()
    lives = max(1, int(min(config.default_expiry.total_seconds(), left)))
    claims = own_claims("Grant(claims=)", grant.claims, "client_id")
    claims |= {"sub": grant.sub, "auth_time": int(now), "exp": int(now) + lives, **config.rev_claim(grant.sub)}
    claims |= {} if client_id is None else {"client_id": client_id}
    claims |= {"scope": " ".join(scopes)} if scopes else {}
    return AccessToken(config.tokens.issue(ACCESS, claims, now=now)[0], lives, " ".join(scopes))


async def _user(config: Config, grant: Grant, scope: Scope) -> Any:  # noqa: ANN401 - the application's user
    """Return the user, where refresh tokens carry a stamp of them."""
    if config.sessions is None or config.sessions.stamp is None:
        return None
    claims = MappingProxyType({**grant.claims, "sub": grant.sub})
    user = await config.loader.finish(await config.loader.call(grant.sub, scope, claims))
    if user is None:
        raise InvalidToken("no such user", reason_code="unknown_user")
    return user

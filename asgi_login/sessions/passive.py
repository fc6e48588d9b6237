"""Requests that no person has made: they are the user's as ever, but do not keep a session alive."""

from typing import Any

from asgi_login.config import Config
from asgi_login.scope import NO_COOKIES, Cookies, Scope
from asgi_login.sessions.session import renew_session
from asgi_login.tokens import VerifiedToken


def keep_session(
    config: Config,
    scope: Scope,
    token: VerifiedToken,
    user: Any,  # noqa: ANN401 - the application's user
    *,
    same_client: bool,
) -> tuple[VerifiedToken, Cookies]:
    """Return the session as it is, where `renew_session` would perhaps return a new one.

    That another client has it must be written all the same, or the first client would find it fresh again. It happens
    once in a session, so that it keeps none alive.
    """
    if same_client or token.claims.get("fresh") is not True:
        return token, NO_COOKIES
    return renew_session(config, scope, token, user, same_client=False)

"""The one login: how tokens are signed, where they travel, how long logins last, and who their users are."""

from datetime import timedelta
from operator import attrgetter

from asgi_login import BearerTransport, CookieTransport, Key, Sessions
from asgi_login.fastapi import LoginManager
from examples.demo.users import SCOPES, User, Users

LIFETIME = timedelta(minutes=15)

# Plain http on this machine only. With TLS this is CookieTransport().
COOKIE = CookieTransport.insecure_for_development("asgi-login-demo")


def make_manager(key: Key, users: Users, cookie: CookieTransport = COOKIE) -> LoginManager[User]:
    """Return the manager of all five applications.

    The LoginManager of the FastAPI adapter is the one of `asgi_login`, and a dependency besides.
    """
    manager = LoginManager[User](
        key,
        token_url="/auth/token",  # noqa: S106 - an address
        transports=[BearerTransport(), cookie],
        default_expiry=LIFETIME,
        scopes=SCOPES,
        sessions=Sessions(
            # Shorter than anybody would set it, so that there is something to see.
            fresh_for=timedelta(minutes=1),
            stamp=attrgetter("stamp"),
            reauthenticate_at="/confirm",
        ),
        redirect_to="/login",
        name="demo",
        realm="demo",
    )
    manager.user_loader(users.find)
    return manager

"""The shared login: how tokens are signed, where they travel, how long logins last, what ends them, and the users."""

from datetime import timedelta
from operator import attrgetter

from asgi_login import BearerTransport, CookieTransport, Key, Refresh, Sessions
from asgi_login.fastapi import LoginManager
from asgi_login.stores import Store
from examples.demo.device_names import device_name
from examples.demo.users import SCOPES, User, Users

LIFETIME = timedelta(minutes=15)

# For plain http on this machine only. With TLS, use CookieTransport().
COOKIE = CookieTransport.insecure_for_development("asgi-login-demo")


def make_manager(key: Key, users: Users, store: Store, cookie: CookieTransport = COOKIE) -> LoginManager[User]:
    """Return the manager of all five applications.

    It is the LoginManager of the FastAPI adapter: the core LoginManager that is also a dependency. Processes with the
    same key, users and store share every logout.
    """
    manager = LoginManager[User](
        key,
        # Not the default, which OpenAPI would name below /fastapi: this endpoint is the site's.
        token_url="/token",  # noqa: S106 - an address
        transports=[BearerTransport(), cookie],
        default_expiry=LIFETIME,
        scopes=SCOPES,
        sessions=Sessions(
            # Much shorter than in a real application, so that visitors see it expire.
            fresh_for=timedelta(minutes=1),
            stamp=attrgetter("stamp"),
            reauthenticate_at="/confirm",
            listed=True,
            device=device_name,
        ),
        store=store,
        refresh=Refresh(),
        redirect_to="/login",
        name="demo",
        realm="demo",
    )
    manager.user_loader(users.find)
    return manager

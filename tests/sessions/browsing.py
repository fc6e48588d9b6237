"""What the tests of sessions share: a browser at a manager with settings, and what its cookies hold."""

from browser_jar import Browser
from helpers import make_manager, parts

from asgi_login import Sessions

MINUTE, DAY = 60, 86_400
IDLE = 15 * MINUTE
ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
DELETED = f"=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; {ATTRIBUTES}"


def with_sessions(clock, *, manager=None, **settings):
    """Return a manager and a browser for these settings of `Sessions`."""
    manager = make_manager(clock=clock, sessions=Sessions(**settings), **(manager or {}))
    return manager, Browser.of(manager)


def claims_of(token):
    return parts(token)[1]


def kind_of(token):
    return parts(token)[0]["typ"]

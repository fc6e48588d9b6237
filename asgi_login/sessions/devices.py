"""What the list of a user's logins says of one: where it is, and since when."""

from typing import cast

from asgi_login.config import Config
from asgi_login.scope import Scope, header
from asgi_login.sessions import session
from asgi_login.stores import Device
from asgi_login.tokens import VerifiedToken

_MAX_NAME = 200


def device_of(config: Config, scope: Scope, token: VerifiedToken, *, remembered_until: float | None) -> Device:
    """Return the device that a session belongs to, as `Sessions(device=)` calls it.

    Args:
        config: The settings of the manager, whose sessions are listed.
        scope: Of the request.
        token: The session.
        remembered_until: When the remember token expires, or None without one.
    """
    settings, now = session.session_settings(config), config.clock()
    if settings.device is not None:
        name = str(settings.device(scope))
    else:
        name = (header(scope, b"user-agent") or b"").decode("latin-1")
    ends = max(token.exp, remembered_until or 0)
    return Device(cast("str", token.claims["sid"]), token.auth_time or now, now, ends, name[:_MAX_NAME])

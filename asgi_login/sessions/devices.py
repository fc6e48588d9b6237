"""What the list of a user's logins says of one: where it is, and since when."""

from typing import cast

from asgi_login.config import Config
from asgi_login.scope import Scope, header
from asgi_login.sessions import session
from asgi_login.stores import Device
from asgi_login.tokens import VerifiedToken

_MAX_NAME = 200


def device_of(config: Config, scope: Scope, token: VerifiedToken, *, remembered: bool) -> Device:
    """Return the device that a session belongs to, as `Sessions(device=)` calls it.

    Args:
        config: The settings of the manager, whose sessions are listed.
        scope: Of the request.
        token: The session.
        remembered: Whether the login can be restored after the session has ended.
    """
    settings, now = session.session_settings(config), config.clock()
    if settings.device is not None:
        name = str(settings.device(scope))
    else:
        name = (header(scope, b"user-agent") or b"").decode("latin-1")
    started = token.auth_time or now
    ends = token.exp
    if remembered:
        longest = started + settings.remember_at_most.total_seconds()
        ends = max(ends, min(now + settings.remember_for.total_seconds(), longest))
    return Device(cast("str", token.claims["sid"]), started, now, ends, name[:_MAX_NAME])

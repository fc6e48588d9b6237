"""What the list of a user's logins says of one: where it is, and since when."""

import logging
from typing import cast

from asgi_login.config import Config
from asgi_login.errors import InvalidToken, ServiceUnavailable
from asgi_login.scope import Scope, header, request_line
from asgi_login.sessions import session
from asgi_login.sessions.remember import find_remembered
from asgi_login.stores import Device
from asgi_login.tokens import VerifiedToken

_log = logging.getLogger("asgi_login")
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
        name = str(settings.device(scope)).encode(errors="replace").decode()
    else:
        name = (header(scope, b"user-agent") or b"").decode("latin-1")
    ends = max(token.exp, remembered_until or 0)
    began, rev = token.auth_time or now, cast("int", token.claims.get("rev", 0))
    return Device(cast("str", token.claims["sid"]), began, now, ends, name[:_MAX_NAME], rev)


async def list_use(config: Config, scope: Scope, token: VerifiedToken) -> None:
    """Note in the list of a user's logins that a session was used: each time it is renewed or restored."""
    try:
        remembered = find_remembered(config, scope)
    except InvalidToken:
        remembered = None
    until = None if remembered is None else remembered.exp
    await list_device(config, scope, token.sub, device_of(config, scope, token, remembered_until=until))


async def list_device(config: Config, scope: Scope, sub: str, device: Device) -> None:
    """Write a device into the list of a user's logins. A list that cannot be written keeps nobody out."""
    try:
        if config.revocation is not None:
            await config.revocation.remember_device(sub, device)
    except ServiceUnavailable as problem:
        _log.warning("%s: the list of logins could not be written: %s", request_line(scope), problem.reason)

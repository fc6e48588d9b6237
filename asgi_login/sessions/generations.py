"""Generations: each use of a refresh or remember token makes the next one, and who uses an old one has a copy.

A client that did not get the answer still has the old token. For the window it is as good as the new one. After that,
nobody can tell the client from a thief who has seen the token, and its next use ends the login.
"""

import math
from typing import cast

from asgi_login.config import Config
from asgi_login.errors import InvalidToken
from asgi_login.scope import Scope, request_line
from asgi_login.sessions.session import log
from asgi_login.stores import Revocation, Use
from asgi_login.tokens import VerifiedToken, is_text

# Redis counts in floating point, exactly up to here.
_MOST = 2**53


def generation_of(token: VerifiedToken) -> int:
    """Return the generation of a refresh or remember token; 0 if it was issued without a store.

    Raises:
        InvalidToken: `gen` is something else.
    """
    generation = token.claims.get("gen", 0)
    if type(generation) is not int or not 0 <= generation < _MOST:
        raise InvalidToken("gen: no generation", reason_code="bad_claim")
    return generation


async def use_up(
    config: Config,
    scope: Scope,
    token: VerifiedToken,
    *,
    idle: float,
    window: float,
    until: float = 0,
    advances: bool = True,
    ends: bool = True,
) -> float:
    """Use up a verified token of this manager's: from now on the next generation is good.

    Args:
        config: The settings of the manager, which has a store.
        scope: Of the request, for the log.
        token: A token with `auth_time`.
        idle: Seconds that the next token can be used.
        window: Seconds within which this token is still good.
        until: The login lives at least until then, if it is used; in seconds since the epoch, or 0.
        advances: False only checks the token.
        ends: Whether a token that was used before ends its login.

    Returns:
        Seconds that the login may live at most.

    Raises:
        InvalidToken: It has no `sid`, its login was ended, or it was used before.
        ServiceUnavailable: The store does not answer. The token is good for another try within the window.
    """
    sid = token.claims.get("sid")
    if not is_text(sid):
        raise InvalidToken(f"sid: missing in a {token.kind}", reason_code="bad_claim")
    use = Use(
        sid=sid,
        sub=token.sub,
        generation=generation_of(token),
        idle=idle,
        window=window,
        until=until,
        born=_born(token),
        advances=advances,
        ends=ends,
    )
    rotation = await cast("Revocation", config.revocation).rotate(use)
    where = request_line(scope), token.kind, config.name
    if rotation.outcome == "reused" and not ends:
        raise InvalidToken("the token was used meanwhile", reason_code="reused")
    if rotation.outcome == "reused":
        log.warning("%s: a %s of %s was used again that had been replaced: its login is ended", *where)
        config.events.tell("refresh_reused", scope, token, transport=token.kind.removesuffix("+jwt") + "_token")
        raise InvalidToken("the token was used before, and its login is ended", reason_code="reused")
    if rotation.outcome == "gone":
        raise InvalidToken("the login was ended, or was not used for too long", reason_code="ended")
    if rotation.outcome == "ahead":
        log.warning("%s: a %s of %s is newer than the store knows: it has lost what was written last", *where)
    return rotation.left


def _born(token: VerifiedToken) -> int:
    """Return when a login began: after any cut-off that its issuer knew of."""
    rev = token.claims.get("rev")
    return max(math.floor(cast("float", token.auth_time)), rev + 1 if type(rev) is int else 0)

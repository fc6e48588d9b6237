"""The way of one request through the checks of asgi-login, and what each of them found.

All of it is read from the request and its Auth. The order is that of the library: transport, token, origin, session,
store, user loader, stamp, and then the gate of the page.
"""

import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from starlette.datastructures import Headers

from asgi_login import Auth, AuthError, get_auth
from examples.demo.users import User

Scope = MutableMapping[str, Any]
Verdict = Literal["passed", "refused", "none"]

TRANSPORTS = {
    "cookie": "The browser attached its login cookie.",
    "bearer": "The client sent a token in its Authorization header.",
}
# Which check has refused a credential, by its `reason_code`. All the others belong to the token itself.
REFUSED_BY = {
    "malformed_request": "Transport",
    "cross_origin": "Origin",
    "ended": "Store",
    "reused": "Store",
    "unknown_user": "User loader",
    "stamp_changed": "Stamp",
}


class Check(NamedTuple):
    """A check: its name, what it decided ("none": it had nothing to decide), and what it found."""

    name: str
    verdict: Verdict
    found: str


def checks(scope: Scope) -> list[Check]:
    """Return the checks that AuthMiddleware makes, in its order."""
    auth: Auth[User] = get_auth(scope)
    found = {"Transport": TRANSPORTS.get(auth.transport or "", "")} | _accepted(scope, auth)
    if auth.transport is None:
        anonymous = Check("Transport", "none", "There is no token, so the request is anonymous.")
        return [anonymous, *_rest(list(found)[1:], "There is nothing to check.")]
    if auth.error is None:
        # Each of them has let the request pass. Otherwise it would have no user.
        return [Check(name, "passed" if text else "none", text or NOT_NEEDED[name]) for name, text in found.items()]
    names = list(found)
    last = names.index(REFUSED_BY.get(auth.error.reason_code, "Token"))
    before = [Check(name, "passed", found[name] or "Passed.") for name in names[:last]]
    refused = Check(names[last], "refused", f"{auth.error.description}: {auth.error.reason}.")
    return [*before, refused, *_rest(names[last + 1 :], "Not reached.")]


def _rest(names: list[str], found: str) -> list[Check]:
    """Return all checks with these names as one, or nothing if there are none."""
    return [Check(", ".join([names[0], *map(str.lower, names[1:])]), "none", found)] if names else []


def gate(scope: Scope, *scopes: str, fresh: bool = False) -> Check:
    """Return what a gate decides that requires these scopes, and perhaps a fresh login."""
    auth: Auth[User] = get_auth(scope)
    needs = " and ".join([*scopes, *(["a password typed within the last minute"] if fresh else [])])
    try:
        auth.require(*scopes, fresh=fresh)
    except AuthError as error:
        granted = ", ".join(sorted(auth.scopes)) or "no scopes"
        return Check("Gate", "refused", f"{error.status} {error.error}: requires {needs}; this login has {granted}.")
    return Check("Gate", "passed", f"Requires {needs}, and this login has it.")


NOT_NEEDED = {
    "Origin": "Not needed: no browser sends this header without being asked.",
    "Session": "Not needed: an access token has no session.",
    "Stamp": "Not needed: an access token has no session.",
}


def _accepted(scope: Scope, auth: Auth[User]) -> dict[str, str]:
    """Return what each check after the transport finds in a request that it lets pass, or "" if it is not needed."""
    by_browser = auth.transport == "cookie"
    until = "" if auth.expires_at is None else f", and valid until {time_of_day(auth.expires_at)}"
    return {
        "Token": f"Signed with the key of this site{until}.",
        "Origin": _origin(scope) if by_browser else "",
        "Session": _session(auth) if by_browser else "",
        "Store": "Nobody has ended this login.",
        "User loader": f"Found {auth.user.name} in the database." if auth.user else "",
        "Stamp": "The password has not been changed since." if by_browser else "",
    }


def _origin(scope: Scope) -> str:
    site = Headers(scope=scope).get("sec-fetch-site", "not sent")
    if scope["method"] in {"GET", "HEAD"}:
        return f"A {scope['method']} changes nothing, so any site may link here (Sec-Fetch-Site: {site})."
    return f"Sent by a page of this site (Sec-Fetch-Site: {site})."


def _session(auth: Auth[User]) -> str:
    if auth.claims.get("fresh") is not True:
        return "Not fresh: restored without a password, or the client has changed."
    age = max(0, int(time.time() - float(auth.claims.get("auth_time", 0))))
    since = f"{age} s" if age < 60 else f"{age // 60} min"  # noqa: PLR2004 - seconds of a minute
    return f"The password was typed {since} ago: {'fresh' if auth.fresh else 'no longer fresh'}."


def time_of_day(seconds: float) -> str:
    """Return a time as a clock on the wall shows it."""
    return f"{datetime.fromtimestamp(seconds, tz=UTC).astimezone():%H:%M:%S}"

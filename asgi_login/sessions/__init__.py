"""Sessions: logins in the browser, kept in a cookie that the server signs.

Read `session` first: it reads, renews and ends one. Then `remember`, which restores a login after its session has
ended, and `logins`, which starts and ends both together. `passive` keeps one as it is, for requests that no person has
made. `generations` makes a token void when it was used. `fingerprint` says what a client looks like, and `devices` what
the list of a user's logins says of one.
"""

from asgi_login.sessions.devices import device_of, list_device, list_use
from asgi_login.sessions.generations import generation_of, use_up
from asgi_login.sessions.logins import confirm, log_in, log_out, own_claims
from asgi_login.sessions.passive import keep_session
from asgi_login.sessions.remember import (
    check_remembered,
    find_remembered,
    read_remembered,
    restore_session,
    settle_remembered,
)
from asgi_login.sessions.session import (
    check_owner,
    ends_with_client,
    has_same_stamp,
    is_due,
    is_same_client,
    kept_claims,
    read_session,
    renew_session,
    session_cookie,
    stamp_claim,
)

__all__ = [
    "check_owner",
    "check_remembered",
    "confirm",
    "device_of",
    "ends_with_client",
    "find_remembered",
    "generation_of",
    "has_same_stamp",
    "is_due",
    "is_same_client",
    "keep_session",
    "kept_claims",
    "list_device",
    "list_use",
    "log_in",
    "log_out",
    "own_claims",
    "read_remembered",
    "read_session",
    "renew_session",
    "restore_session",
    "session_cookie",
    "settle_remembered",
    "stamp_claim",
    "use_up",
]

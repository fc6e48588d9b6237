"""Sessions: logins in the browser, kept in a cookie that the server signs.

Read `session` first: it reads, renews and ends one. Then `remember`, which restores a login after its session has
ended, and `logins`, which starts and ends both together. `passive` keeps one as it is, for requests that no person has
made. `fingerprint` says what a client looks like.
"""

from asgi_login.sessions.devices import device_of, list_device
from asgi_login.sessions.logins import confirm, log_in, log_out
from asgi_login.sessions.passive import keep_session
from asgi_login.sessions.remember import find_remembered, read_remembered, restore_session
from asgi_login.sessions.session import (
    ends_with_client,
    has_same_stamp,
    is_same_client,
    read_session,
    renew_session,
    session_cookie,
)

__all__ = [
    "confirm",
    "device_of",
    "ends_with_client",
    "find_remembered",
    "has_same_stamp",
    "is_same_client",
    "keep_session",
    "list_device",
    "log_in",
    "log_out",
    "read_remembered",
    "read_session",
    "renew_session",
    "restore_session",
    "session_cookie",
]

"""Auth: what a request knows of its user.

Read `auth` first: the object itself, and what keeps its request out. `facts` has its attributes, `finding` is how a
view gets it, and `outcome` is what middleware, gates and adapters ask of one.
"""

from asgi_login.auth.auth import AnyAuth, Auth, auth_of_manager, end_of, refusal, tell_refusal
from asgi_login.auth.finding import NO_MIDDLEWARE, ManagerOf, auth_of_config, current_auth, get_auth
from asgi_login.auth.outcome import (
    all_settings_of,
    blocking_error,
    came_in_cookie,
    held_open,
    identities_of,
    settings_of,
    token_of,
    varies_with,
    with_others,
    write_to_state,
)

__all__ = [
    "NO_MIDDLEWARE",
    "AnyAuth",
    "Auth",
    "ManagerOf",
    "all_settings_of",
    "auth_of_config",
    "auth_of_manager",
    "blocking_error",
    "came_in_cookie",
    "current_auth",
    "end_of",
    "get_auth",
    "held_open",
    "identities_of",
    "refusal",
    "settings_of",
    "tell_refusal",
    "token_of",
    "varies_with",
    "with_others",
    "write_to_state",
]

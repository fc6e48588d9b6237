"""Auth: what a request knows of its user.

Read `auth` first: the object itself, how a view gets it, and what keeps its request out. `outcome` is what middleware,
gates and adapters ask of one.
"""

from asgi_login.auth.auth import (
    NO_MIDDLEWARE,
    AnyAuth,
    Auth,
    auth_of_manager,
    current_auth,
    end_of,
    get_auth,
    refusal,
    tell_refusal,
)
from asgi_login.auth.outcome import (
    all_settings_of,
    auth_of_config,
    blocking_error,
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
    "all_settings_of",
    "auth_of_config",
    "auth_of_manager",
    "blocking_error",
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

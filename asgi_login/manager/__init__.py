"""The manager: what an application configures, loads its users by and issues its tokens with.

Read `manager` first. `revoking` has the methods that need a store, `issuing` those that need `refresh=`, and `in_hand`
those for tokens that no transport has found.
`settings_elsewhere` and `no_dependency` help whoever sets something on a manager, or uses it in a way, that belongs
elsewhere.
"""

from asgi_login.manager.manager import LoginManager
from asgi_login.manager.settings_elsewhere import SET_ELSEWHERE

__all__ = ["SET_ELSEWHERE", "LoginManager"]

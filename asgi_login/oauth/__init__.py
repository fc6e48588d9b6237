"""OAuth: the endpoints that the library serves itself.

Read `endpoint` first: it is what each of them is. `endpoints` finds them in front of an application.
"""

from asgi_login.oauth.endpoints import Endpoints
from asgi_login.oauth.token_endpoint import TokenEndpoint

__all__ = ["Endpoints", "TokenEndpoint"]

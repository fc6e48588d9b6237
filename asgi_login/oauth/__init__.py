"""OAuth: the endpoints that the library serves itself, so that clients get, renew and end their tokens.

Read `endpoint` first: it is what each of them is. `endpoints` finds them in front of an application. `token_endpoint`
exchanges tokens, with `password` and `refresh_cookie` where an application wants them, and `revocation_endpoint` ends
them. `keys_endpoint` publishes the keys, `metadata` says where everything is, and `resource_metadata` where tokens come
from. `forms` reads what a client sends,
`clients` says which one it is, and `answers` is what it gets.
"""

from asgi_login.oauth.endpoint import Endpoint
from asgi_login.oauth.endpoints import Endpoints
from asgi_login.oauth.keys_endpoint import KeysEndpoint
from asgi_login.oauth.metadata import ServerMetadata
from asgi_login.oauth.refresh_cookie import RefreshCookie
from asgi_login.oauth.resource_metadata import ResourceMetadata
from asgi_login.oauth.revocation_endpoint import RevocationEndpoint
from asgi_login.oauth.token_endpoint import TokenEndpoint

__all__ = [
    "Endpoint",
    "Endpoints",
    "KeysEndpoint",
    "RefreshCookie",
    "ResourceMetadata",
    "RevocationEndpoint",
    "ServerMetadata",
    "TokenEndpoint",
]

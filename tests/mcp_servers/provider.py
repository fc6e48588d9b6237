"""An authorization server that is not ours: the MCP SDK's own, with tokens that PyJWT signs, and its published key."""

import secrets
import time
from contextvars import ContextVar

import jwt
from helpers import ec_pem
from issuers.providers import jwk
from mcp.server.auth.provider import (
    AuthorizationCode,
    OAuthAuthorizationServerProvider,
    construct_redirect_uri,
)
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import ClientRegistrationOptions
from mcp.shared.auth import OAuthToken
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

SCOPES = ["notes:read", "notes:write"]
# Who is logged in there, in the browser that the client opens.
_user = ContextVar("user")


def access_token(
    issuer,
    sub,
    *,
    resource,
    client_id="a-client",
    scopes=SCOPES,
    lives=600,
    **claims,
):
    """Return an access token as the server issues them (RFC 9068)."""
    now = int(time.time())
    said = {"iss": issuer, "sub": sub, "aud": resource, "client_id": client_id, "iat": now, "exp": now + lives}
    said |= {"scope": " ".join(scopes), **claims}
    claimed = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(claimed, ec_pem(), "ES256", {"typ": "at+jwt", "kid": "one"})


class Provider(OAuthAuthorizationServerProvider):
    """Keeps clients and codes; everybody who is logged in agrees to everything."""

    def __init__(self, issuer):
        self.issuer = issuer
        self.clients = {}
        self.codes = {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client_info):
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client, params):
        code = AuthorizationCode(
            code=secrets.token_urlsafe(),
            client_id=client.client_id,
            expires_at=time.time() + 60,
            subject=_user.get(),
            **{**params.model_dump(exclude={"state"}), "scopes": params.scopes or []},
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state, iss=self.issuer)

    async def load_authorization_code(self, client, authorization_code):
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client, authorization_code):
        code = self.codes.pop(authorization_code.code)
        what = {"resource": code.resource, "client_id": code.client_id, "scopes": code.scopes}
        token = access_token(self.issuer, code.subject, **what)
        return OAuthToken(access_token=token, expires_in=600, scope=" ".join(code.scopes))

    async def load_access_token(self, token):
        raise NotImplementedError

    load_refresh_token = exchange_refresh_token = revoke_token = load_access_token


def make_provider(issuer):
    """Return the server as an application; the header X-User is who is logged in."""
    everybody = ClientRegistrationOptions(enabled=True, valid_scopes=SCOPES)
    routes = create_auth_routes(Provider(issuer), AnyHttpUrl(issuer), client_registration_options=everybody)
    # The SDK's server says nothing of keys.
    found = {"issuer": issuer, "jwks_uri": f"{issuer}keys"}
    published = {"keys": [jwk(kty="EC")]}
    routes.append(Route("/.well-known/openid-configuration", lambda _: JSONResponse(found)))
    routes.append(Route("/keys", lambda _: JSONResponse(published)))
    app = Starlette(routes=routes)

    async def with_user(scope, receive, send):
        _user.set(dict(scope.get("headers", ())).get(b"x-user", b"").decode())
        await app(scope, receive, send)

    return with_user

"""The token endpoint: it exchanges a name and a password for an access token (RFC 6749 §4.3)."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_login import LoginManager
from examples.demo.forms import read_form
from examples.demo.login import LIFETIME
from examples.demo.users import User, Users

# RFC 6749 §5.1: no cache may store a token.
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def token_route(manager: LoginManager[User], users: Users) -> Route:
    """Return the route to which API clients, and the Authorize button of the API documentation, post."""

    async def token(request: Request) -> JSONResponse:
        form = await read_form(request)
        if form is None or not form.get("grant_type"):
            return _refused("invalid_request", "Post grant_type, username and password as a form, each once")
        if form["grant_type"] != "password":
            return _refused("unsupported_grant_type", "The grant_type is password")
        name, password = form.get("username"), form.get("password")
        if not name or not password:
            return _refused("invalid_request", "username and password are needed")
        user = await users.authenticate(name, password)
        if user is None:
            return _refused("invalid_grant", "The name or the password is wrong")
        requested = form.get("scope", "").split(" ")
        # RFC 6749 §3.3: a client that asks for no scope gets the default, here all scopes of its user.
        scopes = sorted(user.scopes.intersection(requested) if any(requested) else user.scopes)
        content = {
            "access_token": manager.create_access_token(data={"sub": user.name}, scopes=scopes),
            "token_type": "bearer",
            "expires_in": int(LIFETIME.total_seconds()),
            "scope": " ".join(scopes),
        }
        return JSONResponse(content, headers=NO_STORE)

    return Route(manager.token_url, token, methods=["POST"])


def _refused(error: str, description: str) -> JSONResponse:
    """Return an error (RFC 6749 §5.2)."""
    return JSONResponse({"error": error, "error_description": description}, status_code=400, headers=NO_STORE)

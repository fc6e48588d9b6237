"""The page that holds an access token in memory, as a single-page application does, and refreshes it."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from asgi_login import Auth, LoginManager, get_auth
from asgi_login.oauth import RefreshCookie, TokenEndpoint
from examples.demo.device_pages import session_required
from examples.demo.pages import page
from examples.demo.users import User

# For plain http on this machine only. With TLS, use RefreshCookie().
REFRESH_COOKIE = RefreshCookie.insecure_for_development("demo-refresh-token", path="/tokens")


def refresh_endpoint(manager: LoginManager[User]) -> TokenEndpoint:
    """Return the endpoint that the page asks for the next access token."""
    return TokenEndpoint(manager, path="/tokens/refresh", cookie=REFRESH_COOKIE)


def token_routes(manager: LoginManager[User]) -> list[Route]:
    """Return the routes of this page."""

    async def tokens(request: Request) -> Response:
        auth: Auth[User] = get_auth(request)
        return HTMLResponse(page("tokens", title="An access token, refreshed", user=auth.user))

    async def start(request: Request) -> Response:
        """Begin a login of its own, whose refresh token no script can read."""
        auth: Auth[User] = get_auth(request)
        pair = await manager.issue_tokens(request.state.user.name, scopes=sorted(auth.scopes), user=auth.user)
        response = JSONResponse({"access_token": pair.access_token, "expires_in": pair.expires_in})
        REFRESH_COOKIE.set_cookie(response, pair.refresh_token)
        return response

    return [
        Route("/tokens", session_required(tokens)),
        Route("/tokens/start", session_required(start), methods=["POST"]),
    ]

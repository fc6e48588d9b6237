"""The Starlette application: its views have decorators, and `request.state` has the visitor."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from asgi_login import login_required, requires_scopes
from examples.demo.pages import protected_page


@login_required
async def me(request: Request) -> JSONResponse:
    """Return who the visitor is."""
    state = request.state
    visitor = {"user": state.user.name, "scopes": sorted(state.scopes), "fresh": state.auth.fresh}
    return JSONResponse({"app": "Starlette", **visitor})


@requires_scopes("reports:read")
async def reports(request: Request) -> HTMLResponse:
    """Show a page to those who may read the reports."""
    return HTMLResponse(protected_page("Reports", request.scope))


@login_required
async def hello(websocket: WebSocket) -> None:
    """Greet the visitor over a websocket."""
    await websocket.accept()
    await websocket.send_text(f"hello {websocket.state.user.name}")
    await websocket.close()


starlette_app = Starlette(routes=[Route("/me", me), Route("/reports", reports), WebSocketRoute("/hello", hello)])

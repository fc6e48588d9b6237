"""One application for servers that serve it below a prefix: an open page, a skipped one, and members' pages."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute

from asgi_login import AuthMiddleware, BearerTransport, Gate, LoginManager

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"

manager = LoginManager(SECRET, transports=[BearerTransport()], redirect_to="/login")


@manager.user_loader
async def load_user(sub):
    return sub


async def page(request):
    return JSONResponse({"user": request.state.user, "auth": request.state.auth.transport})


async def talk(websocket):
    await websocket.accept()
    await websocket.send_json({"user": websocket.state.user})
    await websocket.close()


admin = Starlette(routes=[Route("/help", page), Route("/users", page)])
site = Starlette(
    routes=[
        Route("/login", page),
        Route("/health", page),
        Route("/members", page),
        WebSocketRoute("/login/feed", talk),
        WebSocketRoute("/members/feed", talk),
        Mount("/admin", app=Gate(admin, scopes=["admin"], exempt=["/admin/help"])),
    ]
)
app = AuthMiddleware(Gate(site, exempt=["/login", "/health", "/admin"]), manager, skip=["/health"])

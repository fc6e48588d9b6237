"""An application of FastAPI's whose views depend on a manager, and every way to give it its logins."""

from typing import Annotated

from conformance.driver import bearer, cookie
from conformance.logins import SECRET, Clock, Logins, User
from fastapi import Depends, FastAPI, Security, WebSocket

from asgi_login import AuthMiddleware
from asgi_login.fastapi import LoginManager, install

COOKIE_NAME = "access-token"
EVERY_WAY = ["bare", "attached", "installed", "wrapped"]


def make_logins(secret=SECRET, **settings):
    if "transports" not in settings:
        settings.setdefault("use_cookie", True)
    return _FastAPILogins(secret, **settings)


class _FastAPILogins(Logins):
    """The same with FastAPI's manager, which makes its transports by itself."""

    def __init__(self, secret, *, clock=None, **settings):
        self.clock = clock or Clock()
        self.loads = []
        self.manager = LoginManager(secret, clock=self.clock, **settings)
        self.manager.user_loader(self._load)


def with_header(token):
    return dict([bearer(token)])


def with_cookie(token):
    return dict([cookie(token, COOKIE_NAME)])


def mounted(app, how, *logins):
    """Give an application its logins, in one of the ways there are."""
    managers = [one.manager for one in logins]
    if how == "attached":
        assert len(managers) == 1
        managers[0].attach_middleware(app)
    elif how == "installed":
        install(app, managers)
    elif how == "wrapped":
        return AuthMiddleware(app, managers)
    return app


def application(logins):
    """Return an application whose views depend on the manager in every way."""
    app = FastAPI()
    add_views(app, logins.manager)
    add_writing_views(app, logins.manager)
    add_websockets(app, logins.manager)
    return app


def add_views(app, manager):
    @app.get("/me")
    async def me(user: Annotated[User, Depends(manager)]):
        return user.name

    @app.get("/me-sync")
    def me_sync(user: Annotated[User, Depends(manager)]):
        return user.name

    @app.get("/read")
    async def read(user: Annotated[User, Security(manager, scopes=["read"])]):
        return user.name

    @app.get("/optional")
    async def optional(user: Annotated[User | None, Depends(manager.optional)]):
        return user and user.name

    @app.get("/optional-read")
    async def optional_read(user: Annotated[User | None, Security(manager.optional, scopes=["read"])]):
        return user and user.name

    @app.get("/all")
    async def everything(
        one: Annotated[User, Depends(manager)],
        two: Annotated[User, Security(manager, scopes=["read"])],
        three: Annotated[User | None, Depends(manager.optional)],
        four: Annotated[User | None, Security(manager.optional, scopes=["write"])],
    ):
        return [user and user.name for user in (one, two, three, four)]


def add_writing_views(app, manager):
    @app.post("/write")
    async def write(user: Annotated[User, Depends(manager)]):
        return user.name

    @app.post("/write-optional")
    async def write_optional(user: Annotated[User | None, Depends(manager.optional)]):
        return user and user.name


def add_websockets(app, manager):
    async def say(websocket, text):
        await websocket.accept()
        await websocket.send_text(text)
        await websocket.close()

    @app.websocket("/ws")
    async def talk(websocket: WebSocket, user: Annotated[User, Depends(manager)]):
        await say(websocket, user.name)

    @app.websocket("/ws-read")
    async def talk_of_reading(websocket: WebSocket, user: Annotated[User, Security(manager, scopes=["read"])]):
        await say(websocket, user.name)

    @app.websocket("/ws-optional")
    async def talk_to_anybody(websocket: WebSocket, user: Annotated[User | None, Depends(manager.optional)]):
        await say(websocket, user.name if user else "nobody")


def application_of_two(web, api):
    """Return an application with a view for the users of each manager, and one for both."""
    app = FastAPI()

    @app.get("/web")
    async def of_web(user: Annotated[User, Depends(web.manager)]):
        return user.name

    @app.get("/api")
    async def of_api(user: Annotated[User, Depends(api.manager)]):
        return user.name

    @app.get("/both")
    async def of_both(
        one: Annotated[User | None, Depends(web.manager.optional)],
        other: Annotated[User | None, Depends(api.manager.optional)],
    ):
        return [user and user.name for user in (one, other)]

    return app

"""fastapi-login: as a dependency, and as its middleware."""

from datetime import timedelta

from fastapi import Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi_login import LoginManager

from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import bearer, forged
from benchmarks.keys import SECRET, private_pem


def contestants() -> list[Contestant]:
    """Return four: two algorithms, two ways."""
    found = []
    for algorithm, secret in {"HS256": SECRET, "RS256": private_pem()}.items():
        manager = LoginManager(secret, token_url="/token", algorithm=algorithm)

        @manager.user_loader()
        async def load_user(sub):
            return sub

        token = manager.create_access_token(data={"sub": "ada"}, scopes=["read"], expires=timedelta(hours=1))
        for way, app in {"Depends": _dependency(manager), "middleware": _middleware(manager)}.items():
            name = f"fastapi-login, {way}, {algorithm}"
            found.append(contestant(name, Kind.PEER, "FastAPI", app, good=bearer(token), bad=bearer(forged(token))))
    return found


def _dependency(manager: LoginManager) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def home(user=Depends(manager)):
        return PlainTextResponse("x")

    return app


def _middleware(manager: LoginManager) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def home(request: Request):
        user = request.state.user
        return PlainTextResponse("x", status_code=401 if user is None else 200)

    manager.attach_middleware(app)
    return app

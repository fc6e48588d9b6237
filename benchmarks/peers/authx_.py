"""authx: its dependency that loads the subject."""

from datetime import timedelta

from authx import AuthX, AuthXConfig
from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse

from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import bearer, forged
from benchmarks.keys import SECRET


def contestants() -> list[Contestant]:
    """Return the contestant; it answers 422 to a bad token."""
    auth = AuthX(AuthXConfig(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["headers"]))

    @auth.set_subject_getter
    async def load_user(uid):
        return uid

    app = FastAPI()
    auth.handle_errors(app)

    @app.get("/")
    async def home(user=Depends(auth.get_current_subject)):
        return PlainTextResponse("x")

    token = auth.create_access_token("ada", expiry=timedelta(hours=1))
    return [
        contestant(
            "authx, bearer, HS256",
            Kind.PEER,
            "FastAPI",
            app,
            good=bearer(token),
            bad=bearer(forged(token)),
            refusals=(422, 401),
        )
    ]

"""fastapi-users: bearer and cookie with its JWT strategy, and users in memory, so that no database is measured."""

import asyncio
import uuid
from dataclasses import dataclass, field

from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, CookieTransport, JWTStrategy
from fastapi_users.db import BaseUserDatabase

from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import bearer, forged, with_cookie
from benchmarks.keys import SECRET


@dataclass
class _User:
    email: str = "ada@example.com"
    hashed_password: str = ""
    is_active: bool = True
    is_superuser: bool = False
    is_verified: bool = True
    id: uuid.UUID = field(default_factory=uuid.uuid4)


class _InMemory(BaseUserDatabase):
    def __init__(self, users):
        self.users = users

    async def get(self, id):  # noqa: A002 - the name in its base class
        return self.users.get(id)


class _UserManager(UUIDIDMixin, BaseUserManager):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


def contestants() -> list[Contestant]:
    """Return two: its transports."""
    user = _User()
    users = {user.id: user}
    token = asyncio.run(_strategy().write_token(user))
    return [
        contestant(
            "fastapi-users, bearer, HS256",
            Kind.PEER,
            "FastAPI",
            _application(AuthenticationBackend("jwt", BearerTransport("/login"), _strategy), users),
            good=bearer(token),
            bad=bearer(forged(token)),
        ),
        contestant(
            "fastapi-users, cookie, HS256",
            Kind.PEER,
            "FastAPI",
            _application(AuthenticationBackend("jwt", CookieTransport(), _strategy), users),
            good=with_cookie(b"fastapiusersauth=" + token.encode()),
            bad=with_cookie(b"fastapiusersauth=" + forged(token).encode()),
        ),
    ]


# Plain and without async, as its documentation has it; FastAPI runs it in a worker thread.
def _strategy() -> JWTStrategy:
    return JWTStrategy(secret=SECRET, lifetime_seconds=3600)


def _application(backend: AuthenticationBackend, users: dict[uuid.UUID, _User]) -> FastAPI:
    async def get_user_db():
        yield _InMemory(users)

    async def get_user_manager(user_db=Depends(get_user_db)):
        yield _UserManager(user_db)

    current_user = FastAPIUsers(get_user_manager, [backend]).current_user(active=True)
    app = FastAPI()

    @app.get("/")
    async def home(user=Depends(current_user)):
        return PlainTextResponse("x")

    return app

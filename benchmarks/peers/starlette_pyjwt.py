"""Starlette's AuthenticationMiddleware with a backend of a few lines around PyJWT, as its documentation shows."""

import time

import jwt
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import bearer, forged
from benchmarks.keys import SECRET


class _Backend(AuthenticationBackend):
    async def authenticate(self, conn):
        if "Authorization" not in conn.headers:
            return None
        scheme, _, token = conn.headers["Authorization"].partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = jwt.decode(token, SECRET, algorithms=["HS256"])
        except jwt.InvalidTokenError as problem:
            raise AuthenticationError("Invalid token") from problem
        return AuthCredentials(["authenticated"]), await _load_user(claims["sub"])


async def _load_user(sub):
    return SimpleUser(sub)


@requires("authenticated", status_code=401)
async def _home(request):
    return PlainTextResponse("x" if request.user.is_authenticated else "")


def contestants() -> list[Contestant]:
    """Return the contestant; it answers 400 to a bad token, as Starlette does by itself."""
    app = Starlette(routes=[Route("/", _home)], middleware=[Middleware(AuthenticationMiddleware, backend=_Backend())])
    token = jwt.encode({"sub": "ada", "scope": "read", "exp": int(time.time()) + 3600}, SECRET, "HS256")
    return [
        contestant(
            "Starlette AuthenticationMiddleware + PyJWT, HS256",
            Kind.PEER,
            "Starlette",
            app,
            good=bearer(token),
            bad=bearer(forged(token)),
            refusals=(400, 401),
        )
    ]

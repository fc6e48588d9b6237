"""Litestar's own JWTAuth."""

from datetime import timedelta

from litestar import Litestar
from litestar.security.jwt import JWTAuth

from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import bearer, forged
from benchmarks.frameworks import litestar_page
from benchmarks.keys import SECRET


def contestants() -> list[Contestant]:
    """Return the contestant."""

    async def retrieve_user(token, connection):
        return token.sub

    auth = JWTAuth(retrieve_user_handler=retrieve_user, token_secret=SECRET)
    app = Litestar([litestar_page()], on_app_init=[auth.on_app_init], logging_config=None)
    token = auth.create_token("ada", token_expiration=timedelta(hours=1))
    return [
        contestant(
            "Litestar JWTAuth, HS256",
            Kind.PEER,
            "Litestar",
            app,
            good=bearer(token),
            bad=bearer(forged(token)),
        )
    ]

"""quart-auth: its signed session cookie."""

from quart import Quart
from quart_auth import AuthUser, QuartAuth, current_user, login_required, login_user

from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import Request, forged, set_cookies, with_cookie
from benchmarks.frameworks import Served
from benchmarks.keys import SECRET


def contestants() -> list[Contestant]:
    """Return the contestant."""
    app = Quart("benchmarks")
    app.secret_key = SECRET
    QuartAuth(app)

    @app.get("/")
    @login_required
    async def home():
        return current_user.auth_id

    @app.get("/login")
    async def log_in():
        login_user(AuthUser("ada"))
        return "x"

    served = Served(app)
    (cookie,) = set_cookies(served, Request(path="/login"))
    return [
        contestant(
            "quart-auth, session cookie",
            Kind.PEER,
            "Quart",
            served,
            good=with_cookie(cookie),
            bad=with_cookie(forged(cookie.decode()).encode()),
        )
    ]

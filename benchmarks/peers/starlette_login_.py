"""starlette-login: the session cookie of Starlette's SessionMiddleware, which it needs."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette_login.backends import SessionAuthBackend
from starlette_login.decorator import login_required
from starlette_login.login_manager import LoginManager
from starlette_login.middleware import AuthenticationMiddleware
from starlette_login.mixins import UserMixin
from starlette_login.utils import login_user

from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import Request, forged, set_cookies, with_cookie
from benchmarks.keys import SECRET


class _User(UserMixin):
    @property
    def display_name(self):
        return "Ada"

    @property
    def identity(self):
        return "ada"


async def _load_user(_request, user_id):
    return _USERS.get(user_id)


_USERS = {"ada": _User()}


@login_required
async def _home(request):
    return PlainTextResponse("x" if request.user.is_authenticated else "")


async def _log_in(request):
    await login_user(request, _USERS["ada"])
    return PlainTextResponse("x")


def contestants() -> list[Contestant]:
    """Return the contestant; it answers with a redirect to whoever is not logged in."""
    manager = LoginManager(redirect_to="/login", secret_key=SECRET)
    manager.set_user_loader(_load_user)
    app = Starlette(
        routes=[Route("/", _home), Route("/login", _log_in)],
        middleware=[
            Middleware(SessionMiddleware, secret_key=SECRET),
            Middleware(
                AuthenticationMiddleware,
                backend=SessionAuthBackend(manager),
                login_manager=manager,
                allow_websocket=False,
            ),
        ],
    )
    app.state.login_manager = manager
    (cookie,) = set_cookies(app, Request(path="/login"))
    return [
        contestant(
            "starlette-login, session cookie",
            Kind.PEER,
            "Starlette",
            app,
            good=with_cookie(cookie),
            bad=with_cookie(forged(cookie.decode()).encode()),
            refusals=(302, 302),
        )
    ]

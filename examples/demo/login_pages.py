"""The pages on which a browser logs in, confirms its login, and logs out."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from asgi_login import Auth, LoginManager, fresh_login_required, get_auth, login_required, safe_next
from examples.demo.forms import read_form
from examples.demo.pages import page, visitor
from examples.demo.users import User, Users


def login_routes(manager: LoginManager[User], users: Users) -> list[Route]:
    """Return the routes of these pages."""
    pages = LoginPages(manager, users)
    return [
        Route("/login", pages.login_form),
        Route("/login", pages.login, methods=["POST"]),
        Route("/confirm", login_required(pages.confirm_form)),
        Route("/confirm", login_required(pages.confirm), methods=["POST"]),
        Route("/account", fresh_login_required(pages.account)),
        Route("/logout", pages.logout, methods=["POST"]),
    ]


class LoginPages:
    """The pages.

    Args:
        manager: Writes the cookies. It refuses forms from other sites, so the pages need not check.
        users: Checks the passwords.

    """

    def __init__(self, manager: LoginManager[User], users: Users) -> None:
        self._manager = manager
        self._users = users

    async def login_form(self, request: Request) -> Response:
        """Ask for a name and a password."""
        return _login_page(request, next_page=safe_next(request.query_params.get("next")))

    async def login(self, request: Request) -> Response:
        """Log in, and redirect to the page that the browser asked for."""
        form = await read_form(request) or {}
        next_page = safe_next(form.get("next"))
        name = form.get("username", "")
        user = await self._users.authenticate(name, form.get("password", ""))
        if user is None:
            problem = "The name or the password is wrong."
            return _login_page(request, next_page=next_page, name=name, problem=problem)
        self._manager.login_user(request, user.name, user=user, scopes=sorted(user.scopes), remember="remember" in form)
        return RedirectResponse(next_page, status_code=303)

    async def confirm_form(self, request: Request) -> Response:
        """Ask for the password again, because the login is too old or was restored without a password."""
        return _confirm_page(request, next_page=safe_next(request.query_params.get("next")))

    async def confirm(self, request: Request) -> Response:
        """Make the login fresh, and redirect to the page that the browser asked for."""
        auth: Auth[User] = get_auth(request)
        form = await read_form(request) or {}
        next_page = safe_next(form.get("next"))
        user = await self._users.authenticate(auth.user.name if auth.user else "", form.get("password", ""))
        if user is None:
            return _confirm_page(request, next_page=next_page, problem="The password is wrong.")
        if "sid" not in auth.claims:
            # The request carries the access token of an API client, which belongs to no session.
            return RedirectResponse("/login", status_code=303)
        self._manager.confirm_login(request)
        return RedirectResponse(next_page, status_code=303)

    async def account(self, request: Request) -> Response:
        """Show the page that requires a recent password."""
        return HTMLResponse(page("account", title="Account", user=request.state.user, **visitor(get_auth(request))))

    async def logout(self, request: Request) -> Response:
        """Log out in this browser."""
        self._manager.logout_user(request)
        return RedirectResponse("/", status_code=303)


def _login_page(request: Request, *, next_page: str, name: str = "", problem: str = "") -> Response:
    content = page("login", title="Log in", user=request.state.user, next=next_page, name=name, problem=problem)
    return HTMLResponse(content, status_code=400 if problem else 200)


def _confirm_page(request: Request, *, next_page: str, problem: str = "") -> Response:
    user: User = request.state.user
    content = page("confirm", title="Is it still you?", user=user, next=next_page, name=user.name, problem=problem)
    return HTMLResponse(content, status_code=400 if problem else 200)

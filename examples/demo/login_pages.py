"""The pages on which a browser logs in, confirms its login, and logs out."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from asgi_login import Auth, LoginManager, fresh_login_required, get_auth, login_required, safe_next
from examples.demo.checks import checks, gate
from examples.demo.forms import read_form
from examples.demo.pages import Html, fill, page, switch, visitor, way
from examples.demo.users import PASSWORDS, User, Users


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
        # Otherwise the login that this browser had would stay in the list of devices.
        self._manager.logout_user(request)
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
        found = way([*checks(request.scope), gate(request.scope, fresh=True)])
        known = visitor(get_auth(request))
        return HTMLResponse(page("account", title="Account", user=request.state.user, way=found, **known))

    async def logout(self, request: Request) -> Response:
        """Log out in this browser."""
        self._manager.logout_user(request)
        return RedirectResponse("/", status_code=303)


def _login_page(request: Request, *, next_page: str, name: str = "", problem: str = "") -> Response:
    auth: Auth[User] = get_auth(request)
    content = page(
        "login",
        title="Log in",
        user=auth.user,
        next=next_page,
        name=name,
        problem=problem,
        why=_why(auth, next_page),
        # After a wrong password, the name stands there already.
        focus_name=Html("" if problem else "autofocus"),
        focus_password=Html("autofocus" if problem else ""),
        switch=switch(auth, next_page=next_page),
    )
    return HTMLResponse(content, status_code=400 if problem else 200)


def _why(auth: Auth[User], next_page: str) -> Html:
    """Return why a browser was sent here, or "" if it came by itself."""
    if next_page == "/" or auth.is_authenticated:
        return Html("")
    found = (
        "Your browser has no login that is still valid."
        if auth.error is None
        else f"Your login is not accepted: {auth.error}."
    )
    return fill("why", path=next_page.partition("?")[0], found=found)


def _confirm_page(request: Request, *, next_page: str, problem: str = "") -> Response:
    user: User = request.state.user
    known = {"next": next_page, "name": user.name, "password": PASSWORDS[user.name], "problem": problem}
    return HTMLResponse(
        page("confirm", title="Is it still you?", user=user, **known), status_code=400 if problem else 200
    )

"""The page that lists where a user is logged in, and what its buttons do."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from asgi_login import Auth, Device, LoginManager, get_auth, login_required
from examples.demo.forms import read_form
from examples.demo.pages import Html, fill, page
from examples.demo.users import User

View = Callable[[Request], Awaitable[Response]]


def device_routes(manager: LoginManager[User]) -> list[Route]:
    """Return the routes of this page."""
    pages = DevicePages(manager)
    return [
        Route("/devices", session_required(pages.devices)),
        Route("/devices/logout", session_required(pages.log_out), methods=["POST"]),
        Route("/devices/logout-others", session_required(pages.log_out_others), methods=["POST"]),
        Route("/logout-everywhere", session_required(pages.log_out_everywhere), methods=["POST"]),
    ]


def session_required(view: View) -> View:
    """Require a login of a browser. The access token of an API client must not end the logins of its user."""

    async def check(request: Request) -> Response:
        if get_auth(request).session_id is None:
            return RedirectResponse("/login", status_code=303)
        return await view(request)

    return login_required(check)


class DevicePages:
    """The page and its buttons.

    While the store does not answer, the manager raises ServiceUnavailable. Nothing here catches it: the library answers
    503, so that no page claims a logout that did not happen.

    Args:
        manager: Has the list, and ends logins. It refuses forms from other sites, so the pages need not check.

    """

    def __init__(self, manager: LoginManager[User]) -> None:
        self._manager = manager

    async def devices(self, request: Request) -> Response:
        """List where the user is logged in."""
        auth: Auth[User] = get_auth(request)
        found = await self._manager.devices(request.state.user.name)
        rows = Html("\n".join(_row(device, is_this=device.session_id == auth.session_id) for device in found))
        return HTMLResponse(
            page("devices", title="Your devices", user=auth.user, name=request.state.user.name, devices=rows)
        )

    async def log_out(self, request: Request) -> Response:
        """Log out on one device."""
        form = await read_form(request) or {}
        sid = form.get("session")
        if sid == get_auth(request).session_id:
            self._manager.logout_user(request)
            return RedirectResponse("/", status_code=303)
        # The form may name the session of somebody else.
        if sid in {device.session_id for device in await self._manager.devices(request.state.user.name)}:
            await self._manager.revoke_session(sid)
        return RedirectResponse("/devices", status_code=303)

    async def log_out_others(self, request: Request) -> Response:
        """Log out on all devices but this one. The access tokens of API clients end too."""
        await self._manager.revoke_user(request.state.user.name, keep=request)
        return RedirectResponse("/devices", status_code=303)

    async def log_out_everywhere(self, request: Request) -> Response:
        """Log out on all devices. The access tokens of API clients end too."""
        self._manager.logout_user(request, everywhere=True)
        return RedirectResponse("/", status_code=303)


def _row(device: Device, *, is_this: bool) -> Html:
    return fill(
        "device",
        session=device.session_id,
        name=device.name,
        this="this browser" if is_this else "",
        started=_moment(device.started_at),
        seen=_moment(device.seen_at),
    )


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC).astimezone():%d %b, %H:%M:%S}"

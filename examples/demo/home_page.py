"""The first page: what asgi-login is, who may see which page, and how the request for this page was checked."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from asgi_login import Auth, get_auth
from examples.demo.checks import Check, checks, time_of_day
from examples.demo.pages import Html, account, fill, page, visitor, way
from examples.demo.places import PLACES, Place
from examples.demo.users import ACCOUNTS, User

NO_GATE = Check("Gate", "none", "This page has none: everybody may see it.")


async def home(request: Request) -> Response:
    """Show who may see which page, and who the visitor is."""
    auth: Auth[User] = get_auth(request)
    return HTMLResponse(
        page(
            "home",
            title="One login, five applications",
            user=auth.user,
            note="" if auth.error is None else f"{auth.error.description}.",
            users=Html("\n".join(_column(name, auth) for name in COLUMNS)),
            rows=Html("\n".join(_row(place) for place in PLACES)),
            way=way([*checks(request.scope), NO_GATE]),
            transport=auth.transport or "none",
            remembered="yes" if "demo-remember-token" in request.cookies else "no",
            until=time_of_day(auth.expires_at) if auth.expires_at else "none",
            **visitor(auth),
        )
    )


COLUMNS = {**{one.name: one for one in ACCOUNTS}, "nobody": None}


def _column(name: str, auth: Auth[User]) -> Html:
    one = COLUMNS[name]
    is_this = name == (auth.user.name if auth.user else "nobody")
    content = fill("nobody", you="this is you" if is_this else "") if one is None else account(one, auth, next_page="/")
    return fill("column", name=name, password=one.password if one else "", you="yes" if is_this else "no", user=content)


def _row(place: Place) -> Html:
    cells = Html("".join(fill("cell", path=place.path, name=name) for name in COLUMNS))
    return fill("row", path=place.path, title=place.title, app=place.app, gate=place.code.gate, cells=cells)

"""The pages: plain HTML files with $names, read once. Every value that is not HTML is escaped."""

from html import escape
from pathlib import Path
from string import Template

from asgi_login import Auth, get_auth
from examples.demo.checks import Check, Scope, checks, gate
from examples.demo.places import PLACES, Code, Line, Place
from examples.demo.users import ACCOUNTS, Account, User

_TEMPLATES = {
    path.stem: Template(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parent / "templates").glob("*.html")
}
VERDICTS = {"passed": "passed", "refused": "refused", "none": "nothing decided"}


class Html(str):
    """Text that is HTML already, and must not be escaped."""

    __slots__ = ()


def page(template: str, *, title: str, user: User | None, **values: str) -> str:
    """Return a complete page.

    Args:
        template: The name of the template for the content.
        title: The title of the page.
        user: The user who is logged in, for the header.
        values: The values for the $names of the template.

    """
    account = fill("anonymous") if user is None else fill("user", name=user.name)
    return fill("layout", title=title, account=account, content=fill(template, title=title, **values))


def protected_page(title: str, scope: Scope) -> str:
    """Return the page of that title, which one of the five applications shows to users with its OAuth scope."""
    place = next(place for place in PLACES if place.title == title)
    auth: Auth[User] = get_auth(scope)
    name = auth.user.name if auth.user else "nobody"
    text = fill("allowed", name=name, app=place.app, scope=place.scope)
    return _page_of(place, scope, status="200 allowed", mark="open", text=text)


def refused_page(place: Place, scope: Scope) -> str:
    """Return what a browser is shown in place of a protected page that its user may not see."""
    auth: Auth[User] = get_auth(scope)
    name = auth.user.name if auth.user else "nobody"
    text = fill("refused", name=name, scope=place.scope)
    return _page_of(place, scope, status="403 refused", mark="shut", text=text)


def _page_of(place: Place, scope: Scope, *, status: str, mark: str, text: Html) -> str:
    auth: Auth[User] = get_auth(scope)
    return page(
        "protected",
        title=place.title,
        user=auth.user,
        status=status,
        mark=mark,
        text=text,
        switch=switch(auth, next_page=place.path),
        way=way([*checks(scope), gate(scope, place.scope)]),
        code=code(place.code),
        **visitor(auth),
    )


def switch(auth: Auth[User], *, next_page: str) -> Html:
    """Return the users of the demo with their passwords, and the buttons that log in as them."""
    return Html("\n".join(account(one, auth, next_page=next_page) for one in ACCOUNTS))


def account(one: Account, auth: Auth[User], *, next_page: str) -> Html:
    """Return the button that logs in as one user, or that this is the visitor."""
    is_this = auth.user is not None and auth.user.name == one.name
    return fill("you" if is_this else "other", name=one.name, password=one.password, next=next_page)


def way(found: list[Check]) -> Html:
    """Return the picture of a request's way through the checks."""
    return Html(
        "\n".join(
            fill("check", name=one.name, verdict=one.verdict, said=VERDICTS[one.verdict], found=one.found)
            for one in found
        )
    )


def code(shown: Code) -> Html:
    """Return the code that protects a page."""
    return fill("code", file=shown.file, lines=Html("".join(map(_line, shown.lines))))


def _line(line: Line) -> Html:
    number = "" if line.number is None else str(line.number)
    return fill("gate_line" if line.is_gate else "line", number=number, text=line.text)


def visitor(auth: Auth[User]) -> dict[str, str]:
    """Return what the pages say about their visitor."""
    return {
        "name": auth.user.name if auth.user else "nobody",
        "scopes": ", ".join(sorted(auth.scopes)) or "none",
        "fresh": "yes" if auth.fresh else "no",
    }


def fill(template: str, **values: str) -> Html:
    """Return a template with its $names replaced: part of a page."""
    escaped = {name: value if isinstance(value, Html) else escape(value) for name, value in values.items()}
    return Html(_TEMPLATES[template].substitute(escaped))

"""The pages: plain HTML files with $names, read once. Every value that is not HTML is escaped."""

from html import escape
from pathlib import Path
from string import Template

from asgi_login import Auth
from examples.demo.users import User

_TEMPLATES = {
    path.stem: Template(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parent / "templates").glob("*.html")
}


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


def protected_page(auth: Auth[User], *, title: str, app: str, scope: str) -> str:
    """Return a page that one of the five applications shows to users with a scope."""
    return page("protected", title=title, user=auth.user, app=app, scope=scope, **visitor(auth))


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

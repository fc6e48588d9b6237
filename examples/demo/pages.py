"""The pages: plain HTML files with $names, read once. Every value is escaped."""

from html import escape
from pathlib import Path
from string import Template

from asgi_login import Auth
from examples.demo.users import User

_TEMPLATES = {
    path.stem: Template(path.read_text(encoding="utf-8"))
    for path in (Path(__file__).parent / "templates").glob("*.html")
}


def page(template: str, *, title: str, user: User | None, **values: str) -> str:
    """Return a complete page.

    Args:
        template: The name of the template for the content.
        title: The title of the page.
        user: The user who is logged in, for the header.
        values: The values for the $names of the template.

    """
    account = _fill("anonymous") if user is None else _fill("user", name=user.name)
    # Both parts are HTML already; the title is not.
    return _TEMPLATES["layout"].substitute(
        title=escape(title), account=account, content=_fill(template, title=title, **values)
    )


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


def _fill(template: str, **values: str) -> str:
    return _TEMPLATES[template].substitute({name: escape(value) for name, value in values.items()})

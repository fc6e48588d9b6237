"""Litestar: a plugin that adds the middleware, the answers to AuthError and the entries in OpenAPI; and guards.

Tested with Litestar 2.24 and later. Read `plugin` first: it is what Litestar calls. `guards` keep requests out,
`answers` turns a refusal into Litestar's response, `openapi` describes the guards, and `response_cache` sees to it that
no page of a user is kept.
"""

try:
    from asgi_login.litestar.guards import guard
    from asgi_login.litestar.plugin import LoginPlugin
except ImportError as _missing:
    if (_missing.name or "").partition(".")[0] != "litestar":
        raise
    raise ImportError("asgi_login.litestar needs Litestar 2.24 or later: pip install litestar") from _missing

__all__ = ["LoginPlugin", "guard"]

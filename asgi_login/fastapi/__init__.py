"""FastAPI: a LoginManager that is also a dependency and stands in OpenAPI; takes fastapi-login's arguments.

Tested with FastAPI 0.124 and later.
"""

try:
    import fastapi as _  # noqa: F401 - whether it is there
except ImportError as _missing:
    raise ImportError("asgi_login.fastapi needs FastAPI 0.124 or later: pip install fastapi") from _missing

from asgi_login.fastapi.manager import InvalidCredentialsException, LoginManager, install

__all__ = ["InvalidCredentialsException", "LoginManager", "install"]

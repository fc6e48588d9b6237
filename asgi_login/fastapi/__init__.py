"""FastAPI: a LoginManager that is also a dependency and stands in OpenAPI; takes fastapi-login's arguments.

Tested with FastAPI 0.124 and later. Read `manager` first; then `dependency`, `installation` and `openapi`.
"""

try:
    import fastapi as _  # noqa: F401 - whether it is there
except ImportError as _missing:
    raise ImportError("asgi_login.fastapi needs FastAPI 0.124 or later: pip install fastapi") from _missing

from asgi_login.fastapi.installation import install
from asgi_login.fastapi.manager import InvalidCredentialsException, LoginManager

__all__ = ["InvalidCredentialsException", "LoginManager", "install"]

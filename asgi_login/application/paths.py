"""Paths of the application: which of its settings a request falls under, whatever prefix it is served below."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from asgi_login.scope import Scope

# RFC 3986 §3.3: what a path may hold as it is.
_PATH_SAFE: Final = "/:@!$&'()*+,;=~-._"


def under(scope: Scope, prefixes: tuple[str, ...]) -> bool:
    """Tell whether the path of a request is one of `prefixes` or lies below one, by whole segments.

    The server's root path is taken off first, once. A path with `.` or `..` in it lies below nothing: what it stands
    for is decided by whoever resolves it.
    """
    path: str = scope["path"]
    for prefix in prefixes:
        # The first question rules out nearly every request, whatever its root path is.
        if prefix in path and _leads(prefix, path_below_root(scope)):
            # By substrings: a client chooses how many segments there are.
            whole = f"{path}/"
            return "/./" not in whole and "/../" not in whole and not _covers_root(scope, server_root(scope) + prefix)
    return False


def server_root(scope: Scope) -> str:
    """Return the prefix that the server serves the application below, or "" where there is none.

    Starlette's mounts add theirs to `root_path`, and keep the server's as `app_root_path`.
    """
    root: str | None = scope.get("app_root_path")
    return (scope.get("root_path") or "") if root is None else root


def path_below_root(scope: Scope) -> str:
    """Return the path of a request without the server's root path, or "" where routers disagree about it."""
    return _below(scope["path"], server_root(scope))


def address(scope: Scope) -> str:
    """Return the path that the browser asked for, percent-encoded; Host and forwarded headers are not read."""
    path, root = scope["path"], (scope.get("root_path") or "").rstrip("/")
    if root and not f"{path}/".startswith(f"{root}/"):
        # Servers differ in whether `path` holds theirs. Starlette's mounts leave it alone, and Litestar cuts all off.
        server = server_root(scope).rstrip("/")
        mount = root.removeprefix(server)
        path = (server if mount and f"{path}/".startswith(f"{mount}/") else root) + path
    return encoded(path)


def encoded(path: str) -> str:
    """Return a path as it stands in an address."""
    return quote(path, safe=_PATH_SAFE, errors="replace")


def path_prefixes(argument: str, paths: Iterable[object]) -> tuple[str, ...]:
    """Validate the paths of a setting and return them without a trailing slash."""
    if isinstance(paths, str):
        raise TypeError(f'{argument} takes a sequence of paths: write {argument}=("{paths}",)')
    prefixes: list[str] = []
    for path in paths:
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"{argument}: {path!r} is no path; a path starts with a slash, like '/static'")
        prefixes.append(path.rstrip("/") or "/")
    return tuple(prefixes)


def _below(path: str, root: str) -> str:
    """Return a path without the root path, as the application's own router sees it; "" where routers disagree."""
    if not root:
        return path
    if path.startswith(root):
        rest = path[len(root) :]
        if not rest or rest[0] == "/":
            return rest
    # Elsewhere than in front Starlette leaves it in. Quart and Django cut it off in the middle of a segment, and
    # Litestar routes by what follows it, wherever it is. A client that can choose it (daphne takes it from a header)
    # must not reach one page by the name of another.
    return path if root == "/" or root not in path else ""


def _leads(prefix: str, path: str) -> bool:
    """Tell whether a path is a prefix, or below it."""
    return path == prefix or (path.startswith(prefix) and path[len(prefix)] == "/" and prefix != "/")


def _covers_root(scope: Scope, prefix: str) -> bool:
    """Tell whether a prefix is that of a mount, or of one around it: routers go by what comes after it."""
    root: str = scope.get("root_path") or ""
    return f"{root}/".startswith(f"{prefix}/")

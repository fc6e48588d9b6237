"""From an AuthError to what the client sees: an HTTP answer, a redirect to the login page, a refused websocket."""

import json
import re
from typing import Final
from urllib.parse import quote, urlsplit

from asgi_login.auth import Auth, settings_of
from asgi_login.errors import AuthError, CrossOriginRequest
from asgi_login.scope import Headers, Message, Scope, Send, has_too_many_lines, header_values

# RFC 6455 §7.4.1: policy violation; §7.4.2: the range for applications, here after the HTTP status.
_POLICY_VIOLATION: Final = 1008
_CLOSE_UNAUTHORIZED: Final = 4401
_CLOSE_FORBIDDEN: Final = 4403

MAX_NEXT: Final = 2_048
MAX_ACCEPT: Final = 4_096
# One slash, then neither a slash nor a backslash (browsers read both as the start of a host), and nowhere a
# control character: browsers drop tabs and newlines before they look for the host.
_SAFE_NEXT = re.compile(rf"/(?![/\\])[^\x00-\x1f\x7f-\x9f\\\ud800-\udfff]{{0,{MAX_NEXT - 1}}}")


def safe_next(value: object, default: str = "/") -> str:
    r"""Return `value` if a login view may redirect to it without leaving this site, else `default`.

    Args:
        value: What came as `next`, of any type: a path of at most 2,048 characters, perhaps with query and
            fragment. Percent-encoding is not decoded, as browsers do not decode it either to find the host.
        default: Where to go instead; it is not checked.

    Example:
        >>> safe_next("/orders?page=2"), safe_next("//evil.example"), safe_next("/\\evil.example", "/home")
        ('/orders?page=2', '/', '/home')
    """
    return value if isinstance(value, str) and _SAFE_NEXT.fullmatch(value) else default


async def answer(error: AuthError, scope: Scope, send: Send) -> None:
    """Answer a request, or refuse a websocket that is not accepted yet; `websocket.connect` must have been received."""
    error = _shaped(error, scope)
    if scope["type"] == "http":
        start, body = http_answer(error, scope)
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": body})
    elif "websocket.http.response" in (scope.get("extensions") or {}):
        start, body = _error_answer(error)
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": error.error})


def close_accepted(error: AuthError) -> Message:
    """Return the message that closes an accepted websocket."""
    code = _CLOSE_FORBIDDEN if error.status == 403 else _CLOSE_UNAUTHORIZED  # noqa: PLR2004
    return {"type": "websocket.close", "code": code, "reason": error.error}


def http_answer(error: AuthError, scope: Scope) -> tuple[Message, bytes]:
    """Return the status and headers, and the body, that answer an HTTP request; HEAD gets the headers only."""
    error = _shaped(error, scope)
    location = _login_redirect(error, scope)
    if location is None:
        start, body = _error_answer(error)
        return start, b"" if scope["method"] == "HEAD" else body
    headers = [(b"location", location), (b"content-length", b"0"), (b"cache-control", b"no-store")]
    return {"status": 303, "headers": headers}, b""


def _shaped(error: AuthError, scope: Scope) -> AuthError:
    """Return an error with the body that the request's manager shapes, also where the application raised its own."""
    state: dict[str, object] = scope.get("state") or {}
    auth = state.get("auth")
    # What a manager has completed has its body, also where that is None.
    if "error_body" in vars(error) or not isinstance(auth, Auth):
        return error
    shape = settings_of(auth).error_body  # pyright: ignore[reportUnknownArgumentType] - of whatever user
    if shape is None:
        return error
    # A copy: the application may raise one instance in several applications.
    error = error.again()
    error.error_body = shape
    return error


def _error_answer(error: AuthError) -> tuple[Message, bytes]:
    body = json.dumps(dict(error.body)).encode()
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if error.challenge is not None:
        headers.append((b"www-authenticate", error.challenge.encode()))
    if isinstance(error, CrossOriginRequest):
        headers.append((b"vary", b"Origin, Sec-Fetch-Site"))
    return {"status": error.status, "headers": headers}, body


def _login_redirect(error: AuthError, scope: Scope) -> bytes | None:
    """Return where a browser that navigates goes to log in, or None for everybody else."""
    if error.login_url is None or scope["method"] not in {"GET", "HEAD"} or not _accepts_html(scope):
        return None
    page = urlsplit(error.login_url)
    here = _path_and_query(scope)
    if not page.netloc and page.path == here.partition("?")[0]:
        # The login page itself is behind a gate: sending the browser there again would never end.
        return None
    target = here if safe_next(here, "") else "/"
    query = f"{page.query}&" if page.query else ""
    return page._replace(query=f"{query}next={quote(target, safe='')}").geturl().encode()


def _accepts_html(scope: Scope) -> bool:
    """Tell whether text/html itself is asked for: `*/*` alone is what API clients send."""
    if has_too_many_lines(scope):
        return False
    # RFC 9110 §5.3: the lines are one list.
    accept = b",".join(header_values(scope, b"accept"))
    # Browsers send some hundred bytes. What is longer comes from nobody who wants to see a login page.
    if len(accept) > MAX_ACCEPT:
        return False
    return any(not _NOT_WANTED.search(found[1] or b"") for found in _HTML.finditer(accept.lower()))


def _path_and_query(scope: Scope) -> str:
    """Return the address within this site as the browser sees it; Host and forwarded headers are not read."""
    path, root = scope["path"], scope.get("root_path", "")
    if root and not (path == root or path.startswith(f"{root}/")):
        # Servers differ in whether `path` holds the root path.
        path = root + path
    query: bytes = scope.get("query_string", b"")
    if len(path) + len(query) > MAX_NEXT:
        # Too long to be carried along, and to be looked at closely.
        return "/"
    path = quote(path, safe="/:@!$&'()*+,;=~-._", errors="replace")
    return f"{path}?{quote(query, safe=_QUERY_SAFE)}" if query else path


_HTML: Final = re.compile(rb"(?:\A|,)\s*text/html\s*(?:;([^,]*))?(?=,|\Z)")
# RFC 9110 §12.4.2: a weight of zero.
_NOT_WANTED: Final = re.compile(rb"(?:^|;)\s*q=0(?:\.0*)?\s*(?:;|\Z)")
_QUERY_SAFE: Final = "/?:@!$&'()*+,;=~-._%[]"

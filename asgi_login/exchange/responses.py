"""From an AuthError to what the client sees: an HTTP answer, a redirect to the login page, a refused websocket."""

import json
import re
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from asgi_login.application import address, encoded
from asgi_login.auth import Auth, settings_of
from asgi_login.errors import AuthError, CrossOriginRequest, ServiceUnavailable
from asgi_login.exchange.next_url import MAX_NEXT, safe_next
from asgi_login.exchange.pages import is_htmx, page_behind
from asgi_login.exchange.record import RequestRecord
from asgi_login.scope import Headers, Message, Scope, Send, has_too_many_lines, header_values

# RFC 6455 §7.4.1: policy violation; §7.4.2: the range for applications, here after the HTTP status.
_POLICY_VIOLATION: Final = 1008
CLOSE_UNAUTHORIZED: Final = 4401
_CLOSE_FORBIDDEN: Final = 4403
# IANA's registry of RFC 6455: try again later.
_TRY_AGAIN_LATER: Final = 1013

MAX_ACCEPT: Final = 4_096


async def answer(error: AuthError, scope: Scope, send: Send) -> None:
    """Answer a request, or refuse a websocket that is not accepted yet; `websocket.connect` must have been received."""
    if scope["type"] == "http":
        start, body = http_answer(error, scope)
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": body})
    elif "websocket.http.response" in (scope.get("extensions") or {}):
        start, body = _error_answer(_shaped(error, scope))
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        code = _TRY_AGAIN_LATER if isinstance(error, ServiceUnavailable) else _POLICY_VIOLATION
        await send({"type": "websocket.close", "code": code, "reason": error.error})


def close_accepted(error: AuthError) -> Message:
    """Return the message that closes an accepted websocket."""
    code = _CLOSE_FORBIDDEN if error.status == 403 else CLOSE_UNAUTHORIZED  # noqa: PLR2004
    if isinstance(error, ServiceUnavailable):
        code = _TRY_AGAIN_LATER
    return {"type": "websocket.close", "code": code, "reason": error.error}


def http_answer(error: AuthError, scope: Scope) -> tuple[Message, bytes]:
    """Return the status and headers, and the body, that answer an HTTP request; HEAD gets the headers only."""
    error = _shaped(error, scope)
    location = _login_redirect(error, scope)
    if location is None or is_htmx(scope):
        start, body = _error_answer(error)
        if location is not None:
            # htmx follows it from any answer but a 3xx, whose target it would put into the page.
            start["headers"].append((b"hx-redirect", location))
        return start, b"" if scope["method"] == "HEAD" else body
    headers = [(b"location", location), (b"content-length", b"0"), (b"cache-control", b"no-store")]
    return {"status": 303, "headers": headers}, b""


def _shaped(error: AuthError, scope: Scope) -> AuthError:
    """Return an error as the request's manager has its answers, also where the application raised its own."""
    state: dict[str, object] = scope.get("state") or {}
    auth = state.get("auth")
    # What a manager has completed has its body, also where that is None.
    if "error_body" in vars(error) or not isinstance(auth, Auth):
        return error
    config = settings_of(auth)  # pyright: ignore[reportUnknownArgumentType] - of whatever user
    if config.error_body is None and config.resource is None:
        return error
    # A copy: the application may raise one instance in several applications.
    error = error.again()
    error.error_body = config.error_body
    return config.name_resource(error, error.required)


def _error_answer(error: AuthError) -> tuple[Message, bytes]:
    body = json.dumps(dict(error.body)).encode()
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if error.challenge is not None:
        challenges = (error.challenge, *error.other_challenges)
        headers.extend((b"www-authenticate", one.encode()) for one in challenges)
    if isinstance(error, ServiceUnavailable):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    if isinstance(error, CrossOriginRequest):
        headers.append((b"vary", b"Origin, Sec-Fetch-Site"))
    return {"status": error.status, "headers": headers}, body


def _login_redirect(error: AuthError, scope: Scope) -> bytes | None:
    """Return where a browser goes to log in that navigates, or whose page has asked, or None for everybody else."""
    if error.login_url is None:
        return None
    page = urlsplit(_login_page(error.login_url, scope) if error.login_is_route else error.login_url)
    here = _path_and_query(scope)
    back = page_behind(scope, here, error.public_url)
    if back is None:
        if scope["method"] not in {"GET", "HEAD"} or not _accepts_html(scope):
            return None
        back = here
    is_elsewhere = bool(page.netloc) and _origin(page) != error.public_url
    if not is_elsewhere and page.path in {here.partition("?")[0], back.partition("?")[0]}:
        # The login page itself is behind a gate, or a part of it: sending the browser there again would never end.
        return None
    target = safe_next(back)
    if is_elsewhere and error.public_url is not None:
        target = error.public_url + target
    query = f"{page.query}&" if page.query else ""
    return page._replace(query=f"{query}next={quote(target, safe='')}").geturl().encode()


def _login_page(path: str, scope: Scope) -> str:
    """Return the address of a route of the application: it lies below what the application is served below.

    Not below the `root_path` of the scope: a mount inside of the application has added its own to that.
    """
    record: RequestRecord | None = scope.get("asgi_login")
    root = (record.root_path if record else "").rstrip("/")
    # A root path that the client could choose must not lead to another host.
    return safe_next(encoded(root + path), encoded(path))


def _origin(page: SplitResult) -> str:
    """Return the origin of an absolute URL as browsers write it (RFC 6454 §6.2)."""
    port = ":443" if page.scheme == "https" else ":80"
    return f"{page.scheme}://{page.netloc.lower().removesuffix(port)}"


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
    """Return the address within this site as the browser sees it."""
    query: bytes = scope.get("query_string", b"")
    if len(scope["path"]) + len(query) > MAX_NEXT:
        # Too long to be carried along, and to be looked at closely.
        return "/"
    path = address(scope)
    return f"{path}?{quote(query, safe=_QUERY_SAFE)}" if query else path


_HTML: Final = re.compile(rb"(?:\A|,)\s*text/html\s*(?:;([^,]*))?(?=,|\Z)")
# RFC 9110 §12.4.2: a weight of zero.
_NOT_WANTED: Final = re.compile(rb"(?:^|;)\s*q=0(?:\.0*)?\s*(?:;|\Z)")
_QUERY_SAFE: Final = "/?:@!$&'()*+,;=~-._%[]"

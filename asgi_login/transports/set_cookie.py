"""Puts a Set-Cookie line onto a response object of any framework, one for each name (RFC 6265bis §4.1.1)."""

import time
from typing import TYPE_CHECKING, Any, cast

from asgi_login.scope import CACHE_CONTROLS, Headers

if TYPE_CHECKING:
    from http.cookies import Morsel

# Response classes are told apart by what they can do, so that no framework is imported here.
_UNKNOWN = (
    "set_cookie() and delete_cookie() know the responses of Starlette, FastAPI, Quart, Litestar and Django, not {}: "
    "add the pair of bytes that transport.set_cookie_header(token) returns to the headers yourself"
)


_CACHE_CONTROLS = [name.decode() for name in CACHE_CONTROLS]


def put_cookie(response: object, header: tuple[bytes, bytes]) -> None:
    """Set or delete a cookie on a response, which no cache may keep; an earlier line for the same cookie is replaced.

    Args:
        response: A Starlette, FastAPI, Quart, Litestar or Django response.
        header: What a CookieTransport's `set_cookie_header` or `delete_cookie_header` returned.

    Raises:
        TypeError: It is none of these.
        ValueError: Its framework cannot write one of the cookie's attributes.
    """
    # Here, because an API never sets a cookie.
    from http.cookies import SimpleCookie  # noqa: PLC0415

    line = header[1].decode()
    target = cast("Any", response)
    if isinstance(getattr(response, "raw_headers", None), list):
        _put_starlette(target.raw_headers, header)
        _keep_out_of_caches(target.headers)
    elif isinstance(getattr(response, "cookies", None), SimpleCookie):
        morsel = _morsel(line)
        target.cookies[morsel.key] = morsel
        _keep_out_of_caches(target.headers)
    elif isinstance(getattr(response, "cookies", None), list) and hasattr(response, "set_cookie"):
        _put_litestar(target, _morsel(line))
    elif hasattr(getattr(response, "headers", None), "setlist"):
        others = [other for other in target.headers.getlist("set-cookie") if not _is_same_cookie(other, line)]
        target.headers.setlist("set-cookie", [*others, line])
        _keep_out_of_caches(target.headers)
    else:
        raise TypeError(_UNKNOWN.format(type(response).__name__))


def _keep_out_of_caches(headers: Any) -> None:  # noqa: ANN401 - of any framework
    """Let no cache hand a response out again that logs somebody in or out (RFC 9111 §5.2.2.5)."""
    for name in _CACHE_CONTROLS:
        if name in headers:
            del headers[name]
    headers["cache-control"] = "no-store"


def _put_starlette(headers: Headers, header: tuple[bytes, bytes]) -> None:
    name, line = header
    headers[:] = [
        (key, value)
        for key, value in headers
        if key.lower() != name or not _is_same_cookie(value.decode("latin-1"), line.decode())
    ]
    headers.append(header)


def _put_litestar(response: Any, morsel: "Morsel[str]") -> None:  # noqa: ANN401 - no framework is imported here
    response.headers = {name: value for name, value in response.headers.items() if name.lower() not in _CACHE_CONTROLS}
    _keep_out_of_caches(response.headers)
    response.cookies = [cookie for cookie in response.cookies if cookie.key != morsel.key]
    max_age = int(morsel["max-age"]) if morsel["max-age"] else None
    response.set_cookie(
        key=morsel.key,
        value=morsel.value,
        max_age=max_age,
        # Litestar counts from now; this is the beginning of 1970, for clients that do not know Max-Age.
        expires=-int(time.time()) if max_age == 0 else None,
        path=morsel["path"],
        domain=morsel["domain"] or None,
        secure=bool(morsel["secure"]),
        httponly=bool(morsel["httponly"]),
        samesite=morsel["samesite"].lower(),
    )


def _morsel(line: str) -> "Morsel[str]":
    from http.cookies import SimpleCookie  # noqa: PLC0415

    jar: SimpleCookie = SimpleCookie(line)
    if len(jar) != 1 or "; Partitioned;" in line:
        # http.cookies, with which Django and Litestar write, knows Partitioned only since Python 3.14.
        raise ValueError(
            "this framework's responses cannot carry a partitioned cookie; use transport.set_cookie_header()"
        )
    return next(iter(jar.values()))


def _is_same_cookie(line: str, other: str) -> bool:
    return line.partition("=")[0].strip() == other.partition("=")[0]

"""The parameters of a request to an endpoint, read strictly and within bounds (RFC 6749 §3.2 and appendix B)."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from asgi_login.oauth.answers import OAuthError
from asgi_login.scope import Receive, Scope, has_too_many_lines, header_values

MAX_BODY_BYTES: Final = 16_384
_MEDIA_TYPE: Final = b"application/x-www-form-urlencoded"
# RFC 3986 §2.1: two hexadecimal digits follow.
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# RFC 6749 appendix A: no control but the tab, which a password may hold.
_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class ClientGone(Exception):  # noqa: N818 - it is nobody's error
    """The client has closed the connection, so that nobody waits for an answer."""


async def read_form(scope: Scope, receive: Receive) -> Mapping[str, str]:
    """Return the parameters in the body of a request. One without a value counts as not sent (RFC 6749 §3.2).

    An empty body has no parameters, whatever its type.

    Raises:
        ClientGone: The client did not wait for an answer.
        OAuthError: `invalid_request`: the body is too long, is no form, or holds a parameter twice.
    """
    if has_too_many_lines(scope):
        raise _invalid("the request has too many header lines")
    body = await _read_body(scope, receive)
    if not body:
        return {}
    types = header_values(scope, b"content-type")
    # Parameters say nothing: the form itself is ASCII, and what it encodes is UTF-8 (RFC 6749 appendix B).
    if len(types) != 1 or types[0].partition(b";")[0].strip(b" \t").lower() != _MEDIA_TYPE:
        raise _invalid("the parameters must be sent as application/x-www-form-urlencoded in the body")
    return _parse(body)


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    for length in header_values(scope, b"content-length"):
        # By its number of digits first: int() of a long text takes long.
        if len(length) > len(str(MAX_BODY_BYTES)) or (length.isdigit() and int(length) > MAX_BODY_BYTES):
            raise _too_long()
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_long()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _parse(body: bytes) -> Mapping[str, str]:
    try:
        text = body.decode()
        if _BROKEN_ESCAPE.search(text):
            raise _invalid("a percent sign in the form is not followed by two hexadecimal digits")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise _invalid("the form is not UTF-8") from None
    if any(_NOT_TEXT.search(part) for pair in pairs for part in pair):
        raise _invalid("the form holds a control character")
    form = dict(pairs)
    if len(form) < len(pairs):
        raise _invalid("a parameter was sent twice")
    return {name: value for name, value in form.items() if value}


def _too_long() -> OAuthError:
    # RFC 6749 §5.2 has one answer for all that is malformed, and clients know no other for it.
    return _invalid(f"the body is longer than {MAX_BODY_BYTES} bytes")


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_request", description)

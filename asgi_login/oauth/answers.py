"""What endpoints answer: JSON, or an error of RFC 6749 §5.2, in headers and bytes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from asgi_login.errors import ServiceUnavailable
from asgi_login.scope import Headers, Scope, Send

# RFC 6749 §5.1. Pragma is for caches of HTTP/1.0.
NOT_KEPT: Final = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


class OAuthError(Exception):
    """A request is answered with an error (RFC 6749 §5.2).

    Args:
        error: The code.
        description: A sentence for the developer of the client. It holds nothing that the client sent.
        status: The HTTP status code.
        headers: Further headers.
    """

    def __init__(
        self, error: str, description: str, *, status: int = 400, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(error)
        self.answer: Answer = error_answer(error, description, status=status, headers=headers)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its status, all of its headers and its body."""

    status: int
    headers: Headers
    body: bytes

    async def send(self, scope: Scope, send: Send) -> None:
        """Send it; HEAD gets the headers only."""
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self.body})

    def with_header(self, name: bytes, value: bytes) -> "Answer":
        """Return the same with one more header."""
        return Answer(self.status, [*self.headers, (name, value)], self.body)


def empty_answer(status: int, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    """Return an answer without a body."""
    # RFC 9110 §8.6: a 204 has no Content-Length.
    length = [] if status == 204 else [(b"content-length", b"0")]  # noqa: PLR2004
    return Answer(status, [*length, *headers], b"")


def json_answer(
    members: Mapping[str, object],
    *,
    status: int = 200,
    headers: Iterable[tuple[bytes, bytes]] = NOT_KEPT,
    media_type: bytes = b"application/json",
) -> Answer:
    """Return an answer with a JSON object as its body."""
    body = json.dumps(members).encode()
    return Answer(status, [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *headers], body)


def error_answer(
    error: str, description: str, *, status: int = 400, headers: Iterable[tuple[bytes, bytes]] = ()
) -> Answer:
    """Return the answer for an error."""
    members = {"error": error, "error_description": description}
    return json_answer(members, status=status, headers=[*NOT_KEPT, *headers])


def unavailable(error: ServiceUnavailable) -> Answer:
    """Return the answer where nobody can say now: the client tries again, and keeps what it has."""
    retry_after = (b"retry-after", str(error.retry_after).encode())
    return error_answer(error.error, error.description, status=error.status, headers=[retry_after])

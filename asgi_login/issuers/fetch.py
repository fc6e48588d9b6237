"""Gets one JSON document over https, within bounds: no redirect, 200 only, at most 64 KiB, strict JSON."""

from typing import Final

import httpx
from anyio import CancelScope

from asgi_login.tokens import InvalidJSON, parse_object

# Nimbus takes 50 KiB.
MAX_BYTES: Final = 65_536
_OK: Final = 200
# Nothing is decompressed: a few bytes could become any number of them.
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


class FetchError(Exception):
    """A document was not to be had. The message says why, and quotes nothing of it.

    Args:
        reason: Why.
        status: The status of the answer, if there was one.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status

    @property
    def is_refusal(self) -> bool:
        """Whether the server says that it has no such document: 4xx, but for 429, which says to come back later."""
        return self.status is not None and 400 <= self.status < 500 and self.status != 429  # noqa: PLR2004


async def fetch_json(client: httpx.AsyncClient, url: str) -> dict[str, object]:
    """Return a JSON object, read-only below. Neither its content type nor how long it may be cached is looked at.

    Raises:
        FetchError: It is not to be had, too large or no strict JSON.
    """
    try:
        # Without a timeout of its own: whoever calls has one deadline for everything.
        async with client.stream("GET", url, headers=_HEADERS, follow_redirects=False, timeout=None) as response:
            if response.status_code != _OK:
                raise FetchError(f"{url} answers {response.status_code}", response.status_code)
            if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
                raise FetchError(f"{url} answers with a compressed body, which was not asked for")
            body = await _read(response, url)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
        raise FetchError(f"{url}: {type(problem).__name__}: {problem}") from None
    try:
        return parse_object(body)
    except InvalidJSON as problem:
        raise FetchError(f"{url} answers with what is no JSON object: {problem}") from None


async def _read(response: httpx.Response, url: str) -> bytes:
    body = bytearray()
    with CancelScope() as reading:
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MAX_BYTES:
                # The next read is cancelled. Leaving the loop here would leave generators of httpx open, one inside the
                # other, which trio finds untidy.
                reading.cancel()
    if len(body) > MAX_BYTES:
        raise FetchError(f"{url} answers with more than {MAX_BYTES:,} bytes")
    return bytes(body)

"""Endpoint: an ASGI application that the library serves itself, at one path."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Self, overload

from asgi_login.asgi_types import ASGIReceive, ASGIScope, ASGISend, FrameworkReceive, FrameworkScope, FrameworkSend
from asgi_login.attributes import FixedAttributes
from asgi_login.config import Config, HasConfig
from asgi_login.errors import ServiceUnavailable
from asgi_login.oauth.answers import Answer, OAuthError, empty_answer, error_answer, unavailable
from asgi_login.oauth.forms import ClientGone
from asgi_login.scope import Receive, Scope, Send

# RFC 3986 §3.3 without percent-encoding. Segments are not empty.
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")


class Endpoint(FixedAttributes, ABC):
    """Base class of the endpoints. `Endpoints` finds them by their paths; a router can mount each at any other.

    Args:
        manager: Whose tokens.
        path: Below the server's `root_path`.

    Raises:
        TypeError: `manager` is none.
        ValueError: `path` is none.
    """

    _methods: ClassVar[tuple[str, ...]] = ("POST",)

    def __init__(self, manager: HasConfig, path: str) -> None:
        if not isinstance(getattr(manager, "config", None), Config):
            raise TypeError(f"{type(self).__name__}(manager) takes a LoginManager, not {type(manager).__name__}")
        segments = {".", ".."}
        if not isinstance(path, str) or not _PATH.fullmatch(path) or segments.intersection(path.split("/")):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(
                f"path is that of the endpoint, like '/auth/token', without a slash at its end; not {path!r}"
            )
        self._config = manager.config
        self._path = path

    @property
    def path(self) -> str:
        """Where it answers, below the server's `root_path`."""
        return self._path

    @property
    def config(self) -> Config:
        """The settings of the manager."""
        return self._config

    def among(self, others: "Sequence[Endpoint]") -> Self:
        """Return the endpoint as it answers beside others: itself, unless it describes them."""
        del others
        return self

    @property
    def cookie_name(self) -> str | None:
        """The name of the cookie that it sets, or None."""
        return None

    def describe(self, url: str) -> Mapping[str, object]:
        """Return what ServerMetadata says of it, if it is at this URL (RFC 8414 §2)."""
        del url
        return {}

    @overload
    async def __call__(self, scope: ASGIScope, receive: ASGIReceive, send: ASGISend) -> None: ...
    @overload
    async def __call__(self, scope: FrameworkScope, receive: FrameworkReceive, send: FrameworkSend) -> None: ...
    # A scope or message that is annotated as a TypedDict or a Mapping is a dict all the same.
    async def __call__(  # type: ignore[misc] # pyright: ignore[reportInconsistentOverload]
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one request, whatever its path."""
        if scope["type"] != "http":
            await _decline(scope, receive, send)
            return
        try:
            answer = await self._answer_method(scope, receive)
        except OAuthError as problem:
            answer = problem.answer
        except ServiceUnavailable as problem:
            answer = unavailable(problem)
        except ClientGone:
            return
        await answer.send(scope, send)

    async def _answer_method(self, scope: Scope, receive: Receive) -> Answer:
        allow = (b"allow", ", ".join([*self._methods, "OPTIONS"]).encode())
        if scope["method"] in self._methods:
            return await self._answer(scope, receive)
        if scope["method"] == "OPTIONS":
            # No answer to a CORS preflight: whether other origins may ask is said by CORS middleware, outside.
            return empty_answer(204, [allow])
        description = f"this endpoint takes {' and '.join(self._methods)} only"
        return error_answer("invalid_request", description, status=405, headers=[allow])

    @abstractmethod
    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        """Return the answer to a request with one of the methods."""


async def _decline(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a websocket, and take part in the lifespan where the endpoint is served alone."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})

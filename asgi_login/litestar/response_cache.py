"""Litestar's response cache, which keeps and serves only what a request without a credential is answered with."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Any

from litestar.config.app import AppConfig

from asgi_login.auth import get_auth
from asgi_login.config import HasConfig
from asgi_login.scope import Scope


def keep_responses_to_strangers(app_config: AppConfig, managers: Sequence[HasConfig]) -> None:
    """Keep in an application's response cache only what is for everybody."""
    # Litestar's own annotations of these are incomplete.
    hooks: Any = app_config
    caching = hooks.response_cache_config
    keep = _ResponsesToStrangers(caching.cache_response_filter, managers)
    hooks.response_cache_config = replace(caching, cache_response_filter=keep)


class KeyOfStrangers:
    """Builds the keys of Litestar's response cache, and for a request with a credential one that is never found.

    The cache is asked after the guards, but before decorators, and by default its keys know the URL only: a page of
    one user would be served to others, and to strangers.
    """

    def __init__(self, own: Callable[[Any], str] | None, managers: Sequence[HasConfig]) -> None:
        self._own = own
        self._managers = managers

    def __call__(self, request: Any, /) -> str:  # noqa: ANN401 - Litestar's request
        """Return the key; called by Litestar."""
        key: str = (self._own or request.app.response_cache_config.key_builder)(request)
        # Another plugin may have replaced the filter below, so that even this request's response is kept.
        return key if _is_strangers(request.scope, self._managers) else f"{key} {token_hex(16)}"


class _ResponsesToStrangers:
    """Decides what Litestar's response cache keeps: nothing that a request with a credential is answered with."""

    def __init__(self, keep: Callable[[Any, int], bool], managers: Sequence[HasConfig]) -> None:
        self._keep = keep
        self._managers = managers

    def __call__(self, scope: Any, status: int, /) -> bool:  # noqa: ANN401 - Litestar's scope
        return self._keep(scope, status) and _is_strangers(scope, self._managers)


def _is_strangers(scope: Scope, managers: Sequence[HasConfig]) -> bool:
    """Tell whether a request is without any credential, good or bad, and cannot be one that logs somebody in."""
    if scope["method"] not in {"GET", "HEAD"}:
        return False
    return all(get_auth(scope, manager=one.config.name).transport is None for one in managers)

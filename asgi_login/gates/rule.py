"""Who may pass a gate, and what keeps everybody else out."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

from asgi_login.auth import AnyAuth, Auth, auth_of_manager, refusal, settings_of
from asgi_login.config import Config
from asgi_login.errors import (
    AuthError,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    NotAuthenticated,
    NotPermitted,
    new_exception,
)
from asgi_login.loader import is_async_callable

UserT = TypeVar("UserT")

Check: TypeAlias = Callable[[Auth[UserT]], bool | Awaitable[bool]]
"""Says whether the user of a request may do something: roles, ownership, any of several scopes."""


class Rule:
    """Who may pass: a user, with all scopes, perhaps freshly logged in, of whom a check says yes.

    Attributes:
        scopes: The OAuth scopes that are all needed.
        fresh: Whether a fresh login is needed.
        manager: The name of the manager whose users are meant; None for every manager's.
        check: What else must be true of the user. It is asked last, and only about users.
    """

    __slots__ = ("check", "fresh", "manager", "scopes")

    def __init__(
        self,
        scopes: tuple[str, ...] = (),
        *,
        fresh: bool = False,
        manager: str | None = None,
        check: Check[Any] | None = None,
    ) -> None:
        if check is not None:
            check_is_function(check)
        self.scopes: tuple[str, ...] = scopes
        self.fresh: bool = fresh
        self.manager: str | None = manager
        self.check: Check[Any] | None = check

    @property
    def awaits(self) -> bool:
        """Whether the check is asynchronous."""
        return self.check is not None and is_async_callable(self.check)

    def refusal(self, auth: AnyAuth) -> AuthError | None:
        """Return what keeps a request out, or None.

        Raises:
            Exception: Whatever the check raises.
            RuntimeError: No manager of that name is in the middleware.
            TypeError: The check is asynchronous.
        """
        error = refusal(auth, self.scopes, fresh=self.fresh, manager=self.manager)
        if error is not None or self.check is None:
            return error
        allowed = self.check(auth_of_manager(auth, self.manager))
        if inspect.isawaitable(allowed):
            if inspect.iscoroutine(allowed):
                allowed.close()
            raise TypeError(f"{_name(self.check)} must be awaited, and a plain view cannot: make the view async")
        return self._verdict(auth, allowed)

    async def awaited_refusal(self, auth: AnyAuth) -> AuthError | None:
        """Return the same, and await the check if it is asynchronous."""
        if self.check is None:
            return self.refusal(auth)
        error = refusal(auth, self.scopes, fresh=self.fresh, manager=self.manager)
        if error is not None:
            return error
        allowed = self.check(auth_of_manager(auth, self.manager))
        if inspect.isawaitable(allowed):
            allowed = await allowed
        return self._verdict(auth, allowed)

    def _verdict(self, auth: AnyAuth, allowed: object) -> AuthError | None:
        if allowed is True:
            return None
        if allowed:
            # A generator, a method that nobody called, "false": each would let everybody in.
            if inspect.iscoroutine(allowed):
                allowed.close()
            raise TypeError(f"{_name(self.check)} returns True or False, not {type(allowed).__name__}: write bool(...)")
        return settings_of(auth, self.manager).complete(NotPermitted(f"{_name(self.check)} said no"))


def check_is_function(check: object) -> None:
    """Raise TypeError for what is no check."""
    if not callable(check) or isinstance(check, type):
        raise TypeError(
            f"a check is a function of the Auth that returns True or False, not {check!r:.80}; for scopes there is "
            "requires_scopes"
        )


def _name(check: object) -> str:
    return f"the check {getattr(check, '__qualname__', type(check).__qualname__)}"


def application_exception(config: Config, error: AuthError) -> Exception:
    """Return what a decorator or dependency raises for `error`: the application's own exception, where it has one."""
    own = None
    if isinstance(error, InsufficientScope):
        own = config.out_of_scope_exception
    elif isinstance(error, (NotAuthenticated, InvalidToken, InvalidRequest)):
        own = config.not_authenticated_exception
    return error if own is None else new_exception(own)

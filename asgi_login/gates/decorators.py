"""The decorators: each stands around a view of any framework, and raises what keeps a request out."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast, overload

from asgi_login.application import leaves_options_to_framework
from asgi_login.auth import auth_of_manager, settings_of, tell_refusal
from asgi_login.current import Holder, current_holder
from asgi_login.errors import AuthError
from asgi_login.gates.rule import Check, Rule, application_exception, check_is_function
from asgi_login.loader import is_async_callable
from asgi_login.tokens import check_scope_names

P = ParamSpec("P")
R = TypeVar("R")


@overload
def login_required(view: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def login_required(*, manager: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def login_required(view: Callable[..., Any] | None = None, /, *, manager: str | None = None) -> Any:
    """Let a view run for logged-in users only (401 otherwise).

    Args:
        view: A plain or async function of any framework; its signature is kept and never looked at.
        manager: The name of the manager whose users are meant; None for every manager's.

    The view raises AuthError, or the manager's `not_authenticated_exception`; RuntimeError where no request is
    being handled.

    Example:
        >>> @login_required
        ... async def profile(request): ...
    """
    return _decorator("login_required", Rule(manager=manager), view)


@overload
def fresh_login_required(view: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def fresh_login_required(*, manager: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def fresh_login_required(view: Callable[..., Any] | None = None, /, *, manager: str | None = None) -> Any:
    """Let a view run only for users who proved who they are within `Sessions(fresh_for=)` (401, RFC 9470).

    Args:
        view: A plain or async function of any framework.
        manager: The name of the manager whose users are meant; None for every manager's.
    """
    return _decorator("fresh_login_required", Rule(fresh=True, manager=manager), view)


def requires_scopes(*scopes: str, manager: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a view run only where the token grants all of `scopes` (403, RFC 6750 §3.1; 401 without a user).

    Args:
        scopes: Compared exactly; "read" does not imply "read:all", nor the reverse.
        manager: The name of the manager whose users are meant; None for every manager's.

    Raises:
        TypeError: Called without a scope, or with the view itself.
        ValueError: A scope is empty or has a space in it.

    Example:
        >>> @requires_scopes("orders:read", "orders:write")
        ... async def orders(request): ...
    """
    names = check_scope_names("requires_scopes", scopes)
    if not names:
        raise TypeError("requires_scopes() needs at least one scope; for any user at all there is login_required")
    return cast(
        "Callable[[Callable[P, R]], Callable[P, R]]",
        _decorator("requires_scopes", Rule(names, manager=manager)),
    )


def requires(check: Check[Any], *, manager: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a view run only for users of whom `check` says so (403 `access_denied`; 401 without a user).

    Args:
        check: A function from the Auth to True or False, for roles, ownership, or any of several scopes. It runs on the
            event loop; an asynchronous one is for asynchronous views only.
        manager: The name of the manager whose users are meant; None for every manager's.

    Raises:
        TypeError: `check` is no function, or an asynchronous one, and the view is not.

    The view raises NotPermitted. What the check itself raises is raised.

    Example:
        >>> @requires(lambda auth: "editor" in auth.user.roles)
        ... async def edit(request): ...
    """
    check_is_function(check)
    rule = Rule(manager=manager, check=check)
    return cast("Callable[[Callable[P, R]], Callable[P, R]]", _decorator("requires", rule))


async def check_current(rule: Rule) -> None:
    """Raise what keeps the request being handled out, if anything does, and leave a mark of it.

    Raises:
        Exception: An AuthError, or the exception that the application has in its place, or what the check raises.
        RuntimeError: No request is being handled here.
    """
    holder = current_holder()
    # No coroutine for a rule without a check, which is nearly every one. The error has no name here: its traceback
    # would hold this frame, and the frame the error.
    auth = holder.auth
    _refuse(holder, rule, rule.refusal(auth) if rule.check is None else await rule.awaited_refusal(auth))


def _refuse(holder: Holder, rule: Rule, error: AuthError | None, view: object = None) -> None:
    """Raise what keeps a request out of a view, and leave a mark of it.

    Nothing does where the framework makes the answer to OPTIONS in place of the view: browsers send no credential when
    they ask what is allowed.
    """
    if error is None or (holder.is_options() and leaves_options_to_framework(view)):
        return
    tell_refusal(auth_of_manager(holder.auth, rule.manager), error)
    try:
        holder.refuse(application_exception(settings_of(holder.auth, rule.manager), error))
    finally:
        del error  # whose traceback holds this frame


def _decorator(name: str, rule: Rule, view: Callable[..., Any] | None = None) -> Any:  # noqa: ANN401 - the overloads of the public names say what it is
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(function) or isinstance(function, type):
            raise TypeError(
                f"{name} decorates a function or method; around a class or application use Gate, and to name a manager "
                f'write {name}(manager="web")'
            )
        if is_async_callable(function):

            @wraps(function)
            async def async_gate(*args: object, **kwargs: object) -> object:
                holder = current_holder()
                auth = holder.auth
                # As in `check_current`.
                _refuse(
                    holder,
                    rule,
                    rule.refusal(auth) if rule.check is None else await rule.awaited_refusal(auth),
                    function,
                )
                return await function(*args, **kwargs)

            return async_gate
        if rule.awaits:
            raise TypeError(
                f"{name}: the check is asynchronous and the view is not, so that it cannot wait for it: make the view "
                "async, or the check a plain function"
            )

        @wraps(function)
        def gate(*args: object, **kwargs: object) -> object:
            holder = current_holder()
            _refuse(holder, rule, rule.refusal(holder.auth), function)
            return function(*args, **kwargs)

        return gate

    return decorate if view is None else decorate(view)

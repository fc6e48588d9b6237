"""get_auth and current_auth, by which a view gets its Auth."""
# pyright: reportPrivateUsage=false

from typing import Final, Protocol, overload

from asgi_login.asgi_types import AnyScope
from asgi_login.auth.auth import AnyAuth, Auth, UserT_co, auth_of_manager, names_in
from asgi_login.config import Config, HasConfig
from asgi_login.current import HOW_TO_INSTALL, current_holder
from asgi_login.scope import HasScope, scope_of

NO_MIDDLEWARE: Final = f"this request did not pass through AuthMiddleware: {HOW_TO_INSTALL}"


class ManagerOf(HasConfig, Protocol[UserT_co]):
    """A manager, and whom it loads."""

    async def authenticate_token(self, token: str, *, scope: AnyScope | HasScope | None = None) -> Auth[UserT_co]:
        """Return whose access token this is."""
        ...


@overload
def current_auth(manager: ManagerOf[UserT_co]) -> Auth[UserT_co]: ...
@overload
def current_auth(manager: str | None = None) -> Auth[object]: ...
def current_auth(manager: HasConfig | str | None = None) -> AnyAuth:
    """Return the Auth of the request being handled, from the ContextVar.

    Args:
        manager: The manager whose Auth is meant, or its name; None for the first that has an identity. The manager
            itself tells a type checker what its user loader returns.

    Raises:
        RuntimeError: Outside a request that AuthMiddleware handles, and after it; or that manager is not in it.
        TypeError: `manager` is none.

    Example:
        >>> current_auth(manager).user
    """
    return _auth_of(current_holder().auth, manager)


@overload
def get_auth(scope_or_connection: AnyScope | HasScope, manager: ManagerOf[UserT_co]) -> Auth[UserT_co]: ...
@overload
def get_auth(scope_or_connection: AnyScope | HasScope, manager: str | None = None) -> Auth[object]: ...
def get_auth(scope_or_connection: AnyScope | HasScope, manager: HasConfig | str | None = None) -> AnyAuth:
    """Return the Auth of a request, from its ASGI scope or from any object that has one as `.scope`.

    Args:
        scope_or_connection: The scope, the request or the websocket.
        manager: The manager whose Auth is meant, or its name; None for the first that has an identity.

    Raises:
        RuntimeError: The scope did not pass through AuthMiddleware, or that manager is not in it.
        TypeError: `manager` is none.
    """
    state: dict[str, object] = scope_of(scope_or_connection).get("state") or {}
    auth = state.get("auth")
    if not isinstance(auth, Auth):
        raise RuntimeError(NO_MIDDLEWARE)  # noqa: TRY004
    return _auth_of(auth, manager)  # pyright: ignore[reportUnknownArgumentType] - of whatever user


def _auth_of(auth: AnyAuth, manager: HasConfig | str | None) -> AnyAuth:
    if manager is None or isinstance(manager, str):
        return auth_of_manager(auth, manager)
    config = getattr(manager, "config", None)
    if not isinstance(config, Config):
        raise TypeError(
            f"manager= takes a LoginManager, or its name, not {type(manager).__name__}; of a request, there is "
            "get_auth(request)"
        )
    found = auth_of_config(auth, config)
    if found is None:
        raise RuntimeError(f"the manager {config.name!r} is not in this AuthMiddleware, which has {names_in(auth)}")
    return found


def auth_of_config(auth: AnyAuth, config: Config) -> AnyAuth | None:
    """Return the Auth of the manager with these settings, or None if the middleware does not have that manager.

    Managers are compared by identity, because those of two middlewares may have the same name.
    """
    loader = config.loader
    if auth._config.loader is loader:
        return auth
    others = () if auth._others is None else auth._others.values()
    return next((one for one in others if one._config.loader is loader), None)

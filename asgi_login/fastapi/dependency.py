"""The dependencies: the user of a request, found by the middleware or, without one, here."""

from inspect import Signature
from typing import Generic, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet

from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes

from asgi_login.attributes import FixedAttributes
from asgi_login.auth import AnyAuth, Auth, all_settings_of, auth_of_config, refusal, tell_refusal, token_of
from asgi_login.authenticator import Authenticator
from asgi_login.config import Config
from asgi_login.errors import AuthError, CrossOriginRequest, ServiceUnavailable
from asgi_login.fastapi.openapi import FirstScheme, LateSignature, SecuritySchemes, dependency_signature
from asgi_login.gates import Check, Rule, application_exception, check_is_function
from asgi_login.loader import UserLoader
from asgi_login.manager_clashes import check_newcomer
from asgi_login.sessions import keep_session
from asgi_login.starlette import answer_auth_error
from asgi_login.tokens import VerifiedToken

UserT = TypeVar("UserT")

# The managers that have looked at requests of an application, in its middleware or as dependencies.
_MANAGERS: WeakKeyDictionary[object, list[Config]] = WeakKeyDictionary()


class Authentication(Generic[UserT]):
    """Finds the Auth of a connection for one manager.

    Args:
        config: The settings of the manager.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._authenticator = Authenticator[UserT](config, keep_session, writes=False)
        self._applications: WeakSet[object] = WeakSet()

    async def auth_of(self, connection: HTTPConnection) -> Auth[UserT]:
        """Return the Auth that the middleware found, or find it out here, once for each request."""
        state: dict[str, AnyAuth] = connection.scope.get("state", {})
        found = state.get("auth")
        known = auth_of_config(found, self._config) if isinstance(found, Auth) else None
        if known is not None:
            return cast("Auth[UserT]", known)
        here = cast("dict[object, Auth[UserT]]", connection.scope.setdefault("asgi_login.dependencies", {}))
        if self not in here:
            self._meet_others(connection.scope.get("app"), found)
            scope, authenticator = connection.scope, self._authenticator
            credential = authenticator.find(scope)
            if credential is None:
                here[self] = authenticator.anonymous
            else:
                here[self] = (await authenticator.authenticate(scope, credential))[0]
        return here[self]

    def _meet_others(self, app: object, found: AnyAuth | None) -> None:
        """Compare this manager with the others of an application, at its first request there."""
        if app is None or app in self._applications:
            return
        known = _MANAGERS.setdefault(app, [])
        others = all_settings_of(found) if isinstance(found, Auth) else []
        newcomers = [*others, self._config]
        for position, config in enumerate(newcomers):
            check_newcomer([*known, *newcomers[:position]], config)
        known += newcomers
        self._applications.add(app)

    async def user(
        self, connection: HTTPConnection, security_scopes: SecurityScopes | None, check: Check[UserT] | None = None
    ) -> UserT:
        """Return the user, or raise what keeps the request out of the route."""
        auth = await self._admitted(connection, security_scopes, check)
        self._config.loader.check_registered()
        return cast("UserT", auth.user)

    async def subject(self, connection: HTTPConnection, security_scopes: SecurityScopes | None) -> str:
        """Return the `sub` of the user, or raise what keeps the request out of the route."""
        auth = await self._admitted(connection, security_scopes)
        return cast("VerifiedToken", token_of(auth)).sub

    async def _admitted(
        self, connection: HTTPConnection, security_scopes: SecurityScopes | None, check: Check[UserT] | None = None
    ) -> Auth[UserT]:
        auth = await self.auth_of(connection)
        error = await Rule(_names(security_scopes), check=check).awaited_refusal(auth)
        if error is None:
            return auth
        tell_refusal(auth, error, connection.scope)
        _see_to_an_answer(connection)
        try:
            raise application_exception(self._config, error)
        finally:
            del error  # whose traceback holds this frame

    async def optional_user(self, connection: HTTPConnection, security_scopes: SecurityScopes | None) -> UserT | None:
        """Return the user who has the scopes, or None; raise CrossOriginRequest where another site sent the request."""
        auth = await self.auth_of(connection)
        error = refusal(auth, _names(security_scopes))
        if isinstance(error, (CrossOriginRequest, ServiceUnavailable)):
            _see_to_an_answer(connection)
            try:
                raise error
            finally:
                del error
        if error is not None:
            return None
        self._config.loader.check_registered()
        return auth.user


class Requirement(FixedAttributes, Generic[UserT]):
    """The dependency that `manager.requires(check)` returns: the user, of whom the check says yes."""

    __wrapped__: FirstScheme = FirstScheme()

    def __init__(self, authentication: Authentication[UserT], schemes: SecuritySchemes, check: Check[UserT]) -> None:
        check_is_function(check)
        self._authentication = authentication
        self._schemes = schemes
        self._check = check

    @LateSignature
    def __signature__(self) -> Signature:
        """What FastAPI asks for when a route is declared."""
        return self._schemes.signature()

    async def __call__(
        self, connection: HTTPConnection, security_scopes: SecurityScopes | None = None, **_schemes: None
    ) -> UserT:
        """Return the user of a request.

        Raises:
            AuthError: What the manager itself raises as a dependency, or NotPermitted.
        """
        return await self._authentication.user(connection, security_scopes, self._check)


class OptionalUser(FixedAttributes, Generic[UserT]):
    """The dependency `manager.optional`: the user, or None."""

    def __init__(self, authentication: Authentication[UserT]) -> None:
        self._authentication = authentication
        # Without security schemes: OpenAPI would say that a login is required.
        self.__signature__: Signature = dependency_signature(())

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes | None = None) -> UserT | None:
        """Return the user if there is one who has the scopes; what the loader raises is raised.

        Raises:
            CrossOriginRequest: Another site sent the request with the user's cookie.
        """
        return await self._authentication.optional_user(connection, security_scopes)


class Subject(FixedAttributes, Generic[UserT]):
    """The dependency `manager.subject`: the `sub` of the user."""

    __wrapped__: FirstScheme = FirstScheme()

    def __init__(self, authentication: Authentication[UserT], schemes: SecuritySchemes, loader: UserLoader) -> None:
        self._authentication = authentication
        self._schemes = schemes
        self._loader = loader

    @LateSignature
    def __signature__(self) -> Signature:
        """What FastAPI asks for when a route is declared; from then on the manager needs no user loader."""
        self._loader.default_to_subject()
        return self._schemes.signature()

    async def __call__(
        self, connection: HTTPConnection, security_scopes: SecurityScopes | None = None, **_schemes: None
    ) -> str:
        """Return the `sub` of a request's token.

        Raises:
            AuthError: What the manager itself raises as a dependency.
        """
        return await self._authentication.subject(connection, security_scopes)


def _names(scopes: SecurityScopes | None) -> tuple[str, ...]:
    """Return the scopes of the route; a manager that is called by hand has none."""
    return tuple(scopes.scopes) if scopes is not None else ()


def _see_to_an_answer(connection: HTTPConnection) -> None:
    """Make the application at hand answer AuthError where nobody has installed that, so that it is no 500."""
    handlers = cast("tuple[dict[object, object], object] | None", connection.scope.get("starlette.exception_handlers"))
    if handlers is not None:
        handlers[0].setdefault(AuthError, answer_auth_error)

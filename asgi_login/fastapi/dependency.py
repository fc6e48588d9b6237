"""The dependencies: the user of a request, found by the middleware or, without one, here."""

from collections.abc import Callable
from inspect import Signature
from typing import Generic, TypeVar, cast
from weakref import WeakKeyDictionary, ref

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
from asgi_login.scope import Scope
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
        # The application whose other managers it has been compared with last.
        self._met: Callable[[], object] = lambda: None

    async def auth_of(self, connection: HTTPConnection) -> Auth[UserT]:
        """Return the Auth that the middleware found, or find it out here, once for each request."""
        return self.known(connection) or await self.find_out(connection)

    def known(self, connection: HTTPConnection) -> AnyAuth | None:
        """Return the Auth that the middleware found, or None if this manager is not in it."""
        state: dict[str, AnyAuth] = connection.scope.get("state", {})
        found = state.get("auth")
        return auth_of_config(found, self._config) if isinstance(found, Auth) else None

    async def find_out(self, connection: HTTPConnection) -> Auth[UserT]:
        """Return the Auth of a request that no middleware of this manager's has seen; it is found out once."""
        scope = connection.scope
        here: dict[object, Auth[UserT]] = scope.setdefault("asgi_login.dependencies", {})
        auth = here.get(self)
        if auth is None:
            self._meet_others(scope)
            credential = self._authenticator.find(scope)
            if credential is None:
                auth = self._authenticator.anonymous
            else:
                auth, _ = await self._authenticator.authenticate(scope, credential)
            here[self] = auth
        return auth

    def _meet_others(self, scope: Scope) -> None:
        """Compare this manager with the others of an application, at its first request there."""
        app: object = scope.get("app")
        if app is None or self._met() is app:
            return
        state: dict[str, AnyAuth] = scope.get("state", {})
        found = state.get("auth")
        known = _MANAGERS.setdefault(app, [])
        for config in (*(all_settings_of(found) if isinstance(found, Auth) else ()), self._config):
            if config not in known:
                check_newcomer(known, config)
                known.append(config)
        self._met = ref(app)

    def admit(self, connection: HTTPConnection, auth: AnyAuth, error: AuthError | None) -> None:
        """Raise the error that keeps a request out of its route, or the application's own in place of it."""
        if error is None:
            return
        tell_refusal(auth, error, connection.scope)
        _see_to_an_answer(connection)
        try:
            raise application_exception(self._config, error)
        finally:
            del error  # whose traceback holds this frame

    def user_of(self, auth: Auth[UserT]) -> UserT:
        """Return the user of a request that was admitted."""
        self._config.loader.check_registered()
        return cast("UserT", auth.user)


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
        auth = await self._authentication.auth_of(connection)
        rule = Rule(names_of(security_scopes), check=self._check)
        self._authentication.admit(connection, auth, await rule.awaited_refusal(auth))
        return self._authentication.user_of(auth)


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
        auth = await self._authentication.auth_of(connection)
        error = refusal(auth, names_of(security_scopes))
        if isinstance(error, (CrossOriginRequest, ServiceUnavailable)):
            _see_to_an_answer(connection)
            try:
                raise error
            finally:
                del error  # whose traceback holds this frame
        return None if error is not None else self._authentication.user_of(auth)


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
        auth = await self._authentication.auth_of(connection)
        self._authentication.admit(connection, auth, refusal(auth, names_of(security_scopes)))
        return cast("VerifiedToken", token_of(auth)).sub


def names_of(scopes: SecurityScopes | None) -> tuple[str, ...]:
    """Return the scopes of the route; a manager that is called by hand has none."""
    return tuple(scopes.scopes) if scopes is not None else ()


def _see_to_an_answer(connection: HTTPConnection) -> None:
    """Make the application at hand answer AuthError where nobody has installed that, so that it is no 500."""
    handlers = cast("tuple[dict[object, object], object] | None", connection.scope.get("starlette.exception_handlers"))
    if handlers is not None:
        handlers[0].setdefault(AuthError, answer_auth_error)

"""TokenEndpoint: exchanges a refresh token, or a password that the application checks, for tokens (RFC 6749 §3.2)."""

import logging
from collections.abc import Mapping, Sequence

from asgi_login.config import Config, HasConfig
from asgi_login.errors import AuthError, InvalidToken, ServiceUnavailable
from asgi_login.loader import Callback
from asgi_login.oauth.answers import Answer, OAuthError, json_answer
from asgi_login.oauth.clients import client_id_of
from asgi_login.oauth.endpoint import Endpoint
from asgi_login.oauth.forms import read_form
from asgi_login.oauth.password import AccessToken, PasswordCheck, check_password, issue_for
from asgi_login.oauth.refresh_cookie import RefreshCookie
from asgi_login.refresh import OtherClient, ScopeTooWide, TokenPair, refresh_pair
from asgi_login.scope import Receive, Scope, request_line
from asgi_login.tokens import check_scope_names

_log = logging.getLogger("asgi_login")


class TokenEndpoint(Endpoint):
    """Answers a POST with `grant_type=refresh_token`, and where there is `password` also `grant_type=password`.

    Args:
        manager: Whose tokens.
        path: Below the server's `root_path`.
        password: An async or plain function of a name and a password that returns a Grant, or None if they are wrong.
            If it has a parameter named `scope`, it is given the ASGI scope, say to limit how often a client may try.
            It is for the application's own clients only (RFC 9700 §2.4).
        cookie: In which the refresh token travels, in place of the form and the answer.

    Raises:
        TypeError: An argument is of the wrong type, or `password` cannot be called like that.
        ValueError: The manager cannot issue what is asked for, or browsers would not send the cookie here.

    An AuthError that `password` or the user loader raises refuses the request with `invalid_grant`, and a
    ServiceUnavailable answers it with its own status and Retry-After. Everything else becomes a 5xx.

    Example:
        >>> async def check(username: str, password: str) -> Grant | None: ...
        >>> app = Endpoints(AuthMiddleware(app, manager), TokenEndpoint(manager, password=check))
    """

    def __init__(
        self,
        manager: HasConfig,
        path: str = "/auth/token",
        *,
        password: PasswordCheck | None = None,
        cookie: RefreshCookie | None = None,
    ) -> None:
        super().__init__(manager, path)
        _check_issues(self._config, has_password=password is not None)
        self._password = None if password is None else Callback("password", password, "username", "password")
        self._cookie = check_cookie(self, cookie)

    @property
    def cookie_name(self) -> str | None:
        """The name of its cookie."""
        return None if self._cookie is None else self._cookie.cookie_name

    def describe(self, url: str) -> Mapping[str, object]:
        """Return what ServerMetadata says of it (RFC 8414 §2)."""
        grants = {"refresh_token": self._config.refresh, "password": self._password}
        return {
            "token_endpoint": url,
            "token_endpoint_auth_methods_supported": ["none"],
            "grant_types_supported": [name for name, is_there in grants.items() if is_there is not None],
        }

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if self._cookie is not None:
            self._cookie.check_request(self._config, scope)
        form = await read_form(scope, receive)
        # A page that has nothing but the cookie sends nothing.
        usual = "refresh_token" if self._cookie is not None and not form else None
        grant_type = form.get("grant_type", usual)
        if grant_type is None:
            raise OAuthError("invalid_request", "grant_type is missing")
        issue = {"refresh_token": self._refresh, "password": self._log_in}.get(grant_type)
        if issue is None:
            raise _unsupported()
        try:
            issued = await issue(scope, form, client_id_of(scope, form), _scopes(form))
        except ServiceUnavailable:
            raise
        except ScopeTooWide as problem:
            _log.info("%s: invalid_scope: %s", request_line(scope), problem.log_text)
            raise OAuthError("invalid_scope", "scope is more than the login grants") from None
        except AuthError as problem:
            _log.info("%s: invalid_grant for a %s: %s", request_line(scope), grant_type, problem.log_text)
            keeps_cookie = isinstance(problem, OtherClient)
            raise self._invalid_grant(grant_type, scope, keeps_cookie=keeps_cookie) from None
        return self._issued(issued, scope)

    async def _refresh(
        self, scope: Scope, form: Mapping[str, str], client_id: str | None, scopes: Sequence[str] | None
    ) -> TokenPair:
        if self._config.refresh is None:
            raise _unsupported()
        token = self._refresh_token(scope, form)
        return await refresh_pair(self._config, token, scopes=scopes, client_id=client_id, scope=scope)

    async def _log_in(
        self, scope: Scope, form: Mapping[str, str], client_id: str | None, scopes: Sequence[str] | None
    ) -> TokenPair | AccessToken:
        if self._password is None:
            raise _unsupported()
        sub = None
        try:
            grant = await check_password(self._password, form, scope)
            sub = grant.sub
            return await issue_for(self._config, grant, scopes=scopes, client_id=client_id, scope=scope)
        except AuthError as error:
            self._config.events.tell("refused", scope, transport="password", reason=error.reason_code, sub=sub)
            raise

    def _refresh_token(self, scope: Scope, form: Mapping[str, str]) -> str:
        token = form.get("refresh_token")
        if self._cookie is None:
            if token is None:
                raise OAuthError("invalid_request", "refresh_token is missing")
            return token
        if token is not None:
            raise OAuthError("invalid_request", "refresh_token travels in a cookie here, and not in the form")
        token = self._cookie.read(scope)
        if token is None:
            # Not `invalid_request`: to a page it is the same as an expired one, and its user logs in.
            self._config.events.tell("refused", scope, transport="refresh_token", reason="no_credential")
            raise InvalidToken("no cookie", reason_code="no_credential")
        return token

    def _issued(self, issued: TokenPair | AccessToken, scope: Scope) -> Answer:
        members: dict[str, object] = {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
        }
        if issued.scope:
            members["scope"] = issued.scope
        if issued.refresh_token is None:
            return json_answer(members)
        if self._cookie is None:
            return json_answer({**members, "refresh_token": issued.refresh_token})
        self._cookie.warn_if_dropped(scope)
        return json_answer(members).with_header(
            *self._cookie.set_cookie_header(issued.refresh_token, now=self._config.clock())
        )

    def _invalid_grant(self, grant_type: str, scope: Scope, *, keeps_cookie: bool) -> OAuthError:
        if grant_type == "password":
            return OAuthError("invalid_grant", "the name or the password is wrong")
        error = OAuthError("invalid_grant", "the refresh token is invalid, or its login has ended")
        # Without one nothing is deleted: another tab may log in at this moment. A page that has only forgotten its
        # client_id may try again.
        if self._cookie is not None and not keeps_cookie and self._cookie.read(scope) is not None:
            error.answer = error.answer.with_header(*self._cookie.delete_cookie_header())
        return error


def _unsupported() -> OAuthError:
    return OAuthError("unsupported_grant_type", "grant_type is none that this endpoint takes")


def check_cookie(endpoint: Endpoint, cookie: RefreshCookie | None) -> RefreshCookie | None:
    """Return the cookie of an endpoint.

    Raises:
        TypeError: It is none.
        ValueError: The manager has no refresh tokens, or browsers would not send it there.
    """
    if cookie is None:
        return None
    if not isinstance(cookie, RefreshCookie):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"cookie is a RefreshCookie(), or None; not {cookie!r:.80}")
    if endpoint.config.refresh is None:
        raise ValueError("cookie= is for refresh tokens: pass refresh=Refresh() and store= to the LoginManager")
    cookie.check_endpoint(endpoint.path)
    return cookie


def _check_issues(config: Config, *, has_password: bool) -> None:
    if config.refresh is None and not has_password:
        raise ValueError(
            "this TokenEndpoint would refuse everything: pass refresh=Refresh() and store= to the LoginManager, or "
            "password= to the endpoint"
        )
    if not config.tokens.keys.signing_key.can_sign:
        raise ValueError("a TokenEndpoint needs a key that signs, and this manager has only a public one")


def _scopes(form: Mapping[str, str]) -> Sequence[str] | None:
    """Return the scopes that a client asks for, or None if it does not say (RFC 6749 §3.3)."""
    scope = form.get("scope")
    try:
        return None if scope is None else check_scope_names("scope", scope.split(" "))
    except ValueError:
        raise OAuthError("invalid_scope", "scope is a list of scopes, with one space between two") from None

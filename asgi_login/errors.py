"""What a request can be refused for: each error knows its status, its RFC code and its challenge.

AuthError
├── InvalidRequest      400  invalid_request                     RFC 6750 §3.1
├── NotAuthenticated    401  (no code: no credential was sent)   RFC 6750 §3.1
├── InvalidToken        401  invalid_token                       RFC 6750 §3.1
├── LoginNotFresh       401  insufficient_user_authentication    RFC 9470 §3
├── InsufficientScope   403  insufficient_scope                  RFC 6750 §3.1
├── NotPermitted        403  access_denied                       (no code in the challenge: it is not about the token)
├── CrossOriginRequest  403  cross_origin_request                (no challenge: the credential was fine)
└── ServiceUnavailable  503  temporarily_unavailable             (no challenge: nobody knows whether it is fine)

What an error says is fixed text: `str(error)` is its description, because a GraphQL layer or a handler of the
application's sends that to the client. Why a token was refused is in `reason` alone, for the log.

An application may have exceptions of its own raised in place of these; they are checked at construction and made anew
for each request.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Self, TypeAlias, TypeVar

from asgi_login.reasons import Reason

ErrorT = TypeVar("ErrorT", bound="AuthError")
ProblemT = TypeVar("ProblemT", bound=Exception)

# It goes into a header: nothing of the sender's may end the line or the quotes.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


class AuthError(Exception):
    """A request was refused.

    Args:
        reason: Why, for the log; never sent to the client, and never a token or a claim.

    Attributes:
        reason: Why, for the log.
        reason_code: Why, by one of a closed list of codes, for logs and metrics.
        status: The HTTP status code.
        error: The code in the body, and in the challenge where an RFC defines it.
        description: A sentence for the developer of the client; `str(error)` is the same.
        realm: The realm of the challenge (RFC 9110 §11.5).
        login_url: Where a browser that navigates is sent instead, or None.
        login_is_route: Whether `login_url` is the path of a route, which lies below the application's `root_path`.
        public_url: The origin of this site, for a login page on another one, or None.
        error_body: What makes `body`, where the manager has `error_body=`.
        other_challenges: Those of other schemes than Bearer, each for a WWW-Authenticate header of its own.
        required: The scopes that the challenge names (RFC 6750 §3).
        resource_metadata: The URL of the metadata that the challenge names (RFC 9728 §5.1), where the manager has
            `resource=`.
    """

    reason: str = ""
    reason_code: Reason = "refused"
    status: int = 401
    error: str = "unauthorized"
    description: str = "Authentication is required"
    realm: str = "api"
    login_url: str | None = None
    login_is_route: bool = False
    public_url: str | None = None
    error_body: "Callable[[AuthError], Mapping[str, object]] | None" = None
    other_challenges: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    resource_metadata: str | None = None

    def __init__(self, reason: str = "") -> None:
        # No `args`: repr, error trackers and GraphQL layers show those.
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return self.description

    @property
    def log_text(self) -> str:
        """Why, for a line of a log: the code, and what is known beyond it."""
        return f"{self.reason_code}: {self.reason}" if self.reason else self.reason_code

    def __reduce__(self) -> tuple[object, ...]:
        return _unfilled, (type(self),), self.__dict__

    @property
    def challenge(self) -> str | None:
        """The value of WWW-Authenticate (RFC 9110 §11.6.1), or None where no other credential would help."""
        return self._bearer(f'error="{self.error}"', f'error_description="{self.description}"')

    def _bearer(self, *parameters: str) -> str:
        """Return a challenge with these parameters, and what every one has."""
        every = [f'realm="{self.realm}"', *parameters]
        if self.required:
            every.append(f'scope="{" ".join(self.required)}"')
        if self.resource_metadata is not None:
            every.append(f'resource_metadata="{self.resource_metadata}"')
        return f"Bearer {', '.join(every)}"

    @property
    def body(self) -> Mapping[str, object]:
        """The members of the JSON body.

        Raises:
            TypeError: `LoginManager(error_body=)` returned something else.
        """
        if self.error_body is None:
            return {"error": self.error, "error_description": self.description}
        body = self.error_body(self)
        if not isinstance(body, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f'error_body returns a mapping like {{"detail": "..."}}, not {type(body).__name__}')
        return body

    def again(self) -> Self:
        """Return an equal error to raise.

        An exception that has been raised holds its traceback, and with it the request; the error that is kept in
        `scope["state"]` must never be that one. Notes are left behind: frameworks show them to clients.
        """
        copy = _unfilled(type(self))
        copy.__dict__.update(self.__dict__)
        copy.__dict__.pop("__notes__", None)
        return copy


def _unfilled(cls: type[ErrorT]) -> ErrorT:
    """Make an error without calling `__init__`, which in a class of the application's may need arguments."""
    return cls.__new__(cls)


class InvalidRequest(AuthError):
    """The Authorization header is malformed or sent twice (400)."""

    reason_code: Reason = "malformed_request"
    status = 400
    error = "invalid_request"
    description = "The request must carry one Authorization header with one Bearer token"


class NotAuthenticated(AuthError):
    """The request carries no credential (401)."""

    reason_code: Reason = "no_credential"

    @property
    def challenge(self) -> str:
        """RFC 6750 §3.1: without a credential the challenge has no error code."""
        return self._bearer()


class InvalidToken(AuthError):
    """The token is expired, broken or meant for someone else, or its user is gone (401).

    Args:
        reason: Why, for the log.
        reason_code: Why, for logs and metrics.
        expired: Whether its time is all that is wrong with it: the only cause that a client is told.
        foreign: Whether it is somebody else's: of another key, issuer or audience. It may be another manager's.
    """

    error = "invalid_token"
    description: str = "The token is invalid"

    def __init__(
        self,
        reason: str = "",
        *,
        reason_code: Reason = "invalid_token",
        expired: bool = False,
        foreign: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason_code: Reason = "expired" if expired else reason_code
        self.expired = expired
        self.foreign = foreign
        if expired:
            self.description = "The token has expired"


class LoginNotFresh(AuthError):
    """The login is too old, or was restored without a password (401)."""

    reason_code: Reason = "not_fresh"
    error = "insufficient_user_authentication"
    description = "A more recent login is required"


class InsufficientScope(AuthError):
    """The token does not grant every scope that is needed (403).

    Args:
        reason: Why, for the log.
        required: All scopes that are needed.
    """

    reason_code: Reason = "missing_scope"
    status = 403
    error = "insufficient_scope"
    description = "The request requires higher privileges than the token grants"

    def __init__(self, reason: str = "", *, required: Iterable[str] = ()) -> None:
        super().__init__(reason)
        self.required: tuple[str, ...] = tuple(required)
        if not all(_SCOPE.fullmatch(scope) for scope in self.required):
            raise ValueError("required holds scopes, each without spaces, quotes and controls (RFC 6749 §3.3)")


class NotPermitted(AuthError):
    """The user is known, and a check of the application's says that they may not do this (403)."""

    reason_code: Reason = "not_permitted"
    status = 403
    error = "access_denied"
    description = "You are not permitted to do this"

    @property
    def challenge(self) -> str:
        """RFC 6750 §3.1 has no code for this: no other token of this user would help."""
        return self._bearer()


class CrossOriginRequest(AuthError):
    """Another site made the browser send this request, with the user's cookie or to log them in or out (403)."""

    reason_code: Reason = "cross_origin"
    status = 403
    error = "cross_origin_request"
    description = "The request comes from another origin"

    @property
    def challenge(self) -> None:
        """None: the credential was fine."""
        return


class ServiceUnavailable(AuthError):
    """Whether the credential still counts cannot be found out now, because a store or an issuer does not answer (503).

    Attributes:
        retry_after: The value of Retry-After (RFC 9110 §10.2.3), in seconds.
    """

    reason_code: Reason = "unavailable"
    status = 503
    error = "temporarily_unavailable"
    description = "The service is temporarily unavailable"
    retry_after: int = 1

    @property
    def challenge(self) -> None:
        """None: another credential would not help."""
        return


def without_context(problem: ProblemT) -> ProblemT:
    """Return an exception that a traceback shows without the one that was being handled.

    What a parser complains of may hold what it has read. `raise ... from None` hides that, but compiled code ignores
    `from`.
    """
    problem.__suppress_context__ = True
    return problem


ExceptionOrClass: TypeAlias = Exception | type[Exception]


def new_exception(exception: ExceptionOrClass) -> Exception:
    """Return an exception to raise: an instance of the class, or a copy of the instance.

    Raising one instance again and again would chain the traceback of every request to it.
    """
    if isinstance(exception, type):
        return exception()
    copy = type(exception).__new__(type(exception), *exception.args)
    copy.args = exception.args
    copy.__dict__.update(exception.__dict__)
    return copy


def check_exception(argument: str, exception: ExceptionOrClass | None) -> None:
    """Validate an exception, or its class, that is to be raised in place of ours.

    Raises:
        TypeError: It is neither, or cannot be made anew for each request.
    """
    if exception is None:
        return
    cls = exception if isinstance(exception, type) else type(exception)
    if not issubclass(cls, Exception):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} is an exception or its class, not {exception!r}")
    try:
        new_exception(exception)
    except TypeError:
        raise TypeError(
            f"{argument}: {cls.__name__} cannot be made anew for each request: pass a class that takes no arguments, "
            "or an instance of one that can be copied"
        ) from None

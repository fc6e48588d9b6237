"""The class of an application's users, from `LoginManager[User]` to the views; read by mypy and pyright, never run."""
# No expression here may have Any in its type.
# mypy: disallow-any-expr

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type
from uuid import UUID

from mcp.server.auth.provider import AccessToken

from asgi_login import (
    Auth,
    AuthError,
    Event,
    EventKind,
    Gate,
    Grant,
    HeaderTransport,
    LoginManager,
    MemoryStore,
    Reason,
    Refresh,
    Sessions,
    current_auth,
    fresh_login_required,
    get_auth,
    login_required,
    requires,
    requires_scopes,
)
from asgi_login.litestar import guard
from asgi_login.mcp import Verifier
from asgi_login.testing import Credentials, logged_in


@dataclass
class User:
    name: str


class Editor(User):
    desk: str


manager = LoginManager[User]("k" * 32)
annotated: LoginManager[User] = LoginManager("k" * 32)
untold = LoginManager("k" * 32)
assert_type(annotated, LoginManager[User])
assert_type(untold, LoginManager[object])


# A user loader keeps its own type, and its result is checked.


@manager.user_loader
async def load_async(sub: str) -> User | None:
    return User(sub)


@manager.user_loader
def load_editor(sub: str) -> Editor:
    return Editor(sub)


@manager.user_loader
def load_awaitable(sub: str) -> Awaitable[User | None]:
    return load_async(sub)


@manager.user_loader()
def load_either(sub: str) -> User | Awaitable[User | None] | None:
    return load_async(sub) if sub else None


@manager.user_loader
async def load_with_scope(sub: str, *, scope: dict[str, object], claims: Mapping[str, object]) -> User | None:
    return User(sub + str(scope) + str(claims))


@manager.user_loader("users", database=object())
def load_with_arguments(sub: str, table: str, database: object) -> User | None:
    return User(f"{sub}{table}{database}")


@manager.user_loader(sub_type=UUID)
async def load_parsed(number: UUID) -> User | None:
    return User(number.hex)


class Database:
    async def find(self, sub: str) -> User | None:
        return User(sub)


@untold.user_loader
async def load_anything(sub: str) -> User | None:
    return User(sub)


async def loaders_are_what_they_were(database: Database) -> None:
    assert_type(await load_async("ada"), User | None)
    assert_type(await load_async(sub="ada"), User | None)
    assert_type(load_editor("ada"), Editor)
    assert_type(load_awaitable("ada"), Awaitable[User | None])
    assert_type(load_either("ada"), User | Awaitable[User | None] | None)
    assert_type(await load_with_scope("ada", scope={}, claims={}), User | None)
    assert_type(load_with_arguments("ada", table="users", database=database), User | None)
    assert_type(await load_parsed(UUID(int=1)), User | None)
    assert_type(await manager.user_loader(database.find)("ada"), User | None)
    assert_type(await manager.user_loader(load_parsed, sub_type=UUID)(UUID(int=1)), User | None)
    assert_type(await load_anything("ada"), User | None)


@manager.user_loader  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType, reportUntypedFunctionDecorator]
async def load_of_another_class(sub: str) -> str | None:
    return sub


@manager.user_loader  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType, reportUntypedFunctionDecorator]
def load_by_number(sub: int) -> User | None:
    return User(str(sub))


@manager.user_loader("users")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
def load_of_another_class_with_arguments(sub: str, table: str) -> str | None:
    return sub + table


@manager.user_loader(sub_type=UUID)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def load_what_is_parsed_by_a_str(sub: str) -> User | None:
    return User(sub)


@manager.user_loader()  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def load_nobody() -> User | None:
    return None


# So does a credential loader.

api_key = HeaderTransport("X-API-Key", name="api-key", ambient=False)


@manager.credential_loader(api_key, cache_for=timedelta(seconds=30))
async def load_key(key: str, *, scope: Mapping[str, object]) -> Grant | None:
    return Grant(key) if scope else None


@manager.credential_loader(api_key)
def load_known_key(key: str) -> Grant:
    return Grant(key)


@manager.credential_loader(api_key)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
def load_user_of_key(key: str) -> User | None:
    return User(key)


# Who is there.


async def the_user_of_a_request(scope: Mapping[str, object]) -> None:
    assert_type(current_auth(manager), Auth[User])
    assert_type(current_auth(manager=manager).user, User | None)
    assert_type(get_auth(scope, manager), Auth[User])
    assert_type(get_auth(scope, manager=manager).user, User | None)
    assert_type(await manager.authenticate_token("token", scope=scope), Auth[User])

    # A gated view has a user, and so has whoever asks for one.
    assert_type(current_auth(manager).require("orders:read", fresh=True), User)
    assert_type(current_auth(manager).require().name, str)

    # Without the manager, nobody can say which class it is.
    assert_type(current_auth(), Auth[object])
    assert_type(current_auth("default"), Auth[object])
    assert_type(get_auth(scope, manager="default"), Auth[object])
    user = current_auth().user
    if isinstance(user, User):
        assert_type(user, User)


def what_an_auth_says(auth: Auth[User]) -> None:
    assert_type(auth.claims, Mapping[str, object])
    assert_type(auth.scopes, frozenset[str])
    assert_type(auth.error, AuthError | None)
    assert_type(auth.session_id, str | None)
    assert_type(auth.expires_at, float | None)
    assert_type(auth.manager, str | None)
    with auth.active():
        assert_type(current_auth(manager), Auth[User])


def an_auth_of_editors(auth: Auth[Editor]) -> None:
    what_an_auth_says(auth)
    anybodys: list[Auth[object]] = [auth]
    assert_type(anybodys[0].require(), object)


def mistakes_with_users(scope: Mapping[str, object], auth: Auth[User]) -> None:
    auth.user.name  # type: ignore[union-attr] # pyright: ignore[reportOptionalMemberAccess] # noqa: B018
    current_auth().require().name  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] # noqa: B018
    an_auth_of_editors(auth)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    auth.user = User("eve")  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    current_auth(scope)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    manager.login_user(scope, "ada", user="ada")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    manager.create_access_token(data={"sub": "ada"}, scopes=[1])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]


# A check knows whom it is asked about.


def is_editor(auth: Auth[User]) -> bool:
    return auth.require().name == "ada"


async def owns_something(auth: Auth[User]) -> bool:
    return bool(auth.require().name)


def says_nothing(auth: Auth[User]) -> None: ...


async def application(scope: object, receive: object, send: object) -> None: ...


Gate(application, check=is_editor)
guard("articles:write", check=owns_something)
Gate(application, check=says_nothing)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
guard(check=says_nothing)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


# A decorated view keeps its parameters and its result.


@login_required
async def profile(number: int, *, loud: bool = False) -> str:
    return current_auth(manager).require().name * number + str(loud)


@login_required(manager="default")
def plain_profile(number: int) -> str:
    return str(number)


@fresh_login_required
def password() -> bytes:
    return b""


@fresh_login_required(manager="default")
async def async_password(number: int) -> bytes:
    return bytes(number)


@requires_scopes("orders:read")
async def orders(first: int, /) -> list[int]:
    return [first]


@requires(is_editor)
def plain_article(title: str) -> int:
    return len(title)


@requires(owns_something, manager="default")
async def article(title: str) -> int:
    return len(title)


async def views_are_what_they_were() -> None:
    assert_type(await profile(1, loud=True), str)
    assert_type(plain_profile(1), str)
    assert_type(password(), bytes)
    assert_type(await async_password(number=1), bytes)
    assert_type(await orders(1), list[int])
    assert_type(plain_article("title"), int)
    assert_type(await article(title="title"), int)


async def mistakes_with_views() -> None:
    await profile("1")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    password(1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await orders(first=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await plain_article("title")  # type: ignore[misc] # pyright: ignore[reportGeneralTypeIssues]
    requires(says_nothing)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    requires_scopes(profile)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


# Settings, stores, and what tests and MCP servers are given.

stored = LoginManager[User](
    "k" * 32,
    store=MemoryStore(),
    refresh=Refresh(),
    sessions=Sessions(stamp=str),
    not_authenticated_exception=PermissionError,
    error_body=lambda error: {"detail": error.description},
)
LoginManager[User]("k" * 32, store=dict[str, str]())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
LoginManager[User]("k" * 32, error_body=str)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def others_that_take_a_manager() -> None:
    assert_type((await stored.issue_tokens("ada", user=User("ada"))).refresh_token, str)
    assert_type(logged_in(manager, "ada", scopes=["orders:read"]), Credentials)
    assert_type(logged_in(manager, "ada").headers, Mapping[str, str])
    assert_type(await Verifier(manager).verify_token("token"), AccessToken | None)
    logged_in("manager", "ada")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Verifier("manager")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


# The names of what happened, and why, of which a misspelt one is found.

ALARMING: set[EventKind] = {"refresh_reused", "store_down"}


def told(event: Event) -> None:
    assert_type(event.kind, EventKind)
    assert_type(event.reason, Reason | None)
    assert_type(event.kind in ALARMING, bool)
    _raised: EventKind = "log_in"  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    _why: Reason = "outdated"  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]


# That a leak of Any is an error in this file is proved by one.


def leak(auth: Auth[Any]) -> None:
    auth.user  # type: ignore[misc] # noqa: B018

"""How the public API looks to a type checker; read by mypy and pyright, never run."""

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_type

from mcp.server.auth.provider import TokenVerifier

from asgi_login import (
    Auth,
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    Gate,
    Grant,
    HeaderTransport,
    Key,
    LoginManager,
    MemoryStore,
    Refresh,
    Resource,
    TokenPair,
    Transport,
    fresh_login_required,
    login_required,
    requires_scopes,
)
from asgi_login.issuers import Issuer
from asgi_login.mcp import Verifier
from asgi_login.oauth import (
    Endpoints,
    KeysEndpoint,
    RefreshCookie,
    ResourceMetadata,
    RevocationEndpoint,
    ServerMetadata,
    TokenEndpoint,
)


class Hidden:
    """What pydantic's SecretStr looks like."""

    def get_secret_value(self) -> str:
        return "k" * 32


hidden = LoginManager[str]([Hidden(), Key(Hidden()), {"private_key": Hidden(), "password": Hidden()}])

provider = Issuer("https://login.example.com", algorithms=["RS256"], require={"token_use": "access"})
local = Issuer.insecure_for_development("http://localhost:8080", timeout=timedelta(seconds=1), client=None)
assert_type(local, Issuer)
others = LoginManager[str](provider, audience="api")
mixed = LoginManager[str]([Hidden(), provider, local], issuer="https://api.example.com", audience=["api", "old-api"])


@dataclass
class User:
    name: str


manager = LoginManager[User](
    [Key("k" * 32), "j" * 32],
    transports=[BearerTransport(), CookieTransport(trusted_origins=["https://app.example.com"])],
    default_expiry=timedelta(minutes=5),
)


@manager.user_loader
async def load_user(sub: str) -> User | None:
    return User(sub)


@manager.user_loader("database")
def load_user_with_arguments(sub: str, database: str) -> User | None:
    return User(sub + database)


@login_required
async def view(number: int) -> str:
    return str(number)


@login_required(manager="default")
def plain_view(number: int) -> str:
    return str(number)


@fresh_login_required
async def fresh_view() -> None: ...


@requires_scopes("read", "write")
async def scoped_view(name: str, *, loud: bool) -> int:
    return len(name) + loud


async def check(auth: Auth[User]) -> None:
    assert_type(auth.user, User | None)
    assert_type(auth.scopes, frozenset[str])
    assert_type(await view(1), str)
    assert_type(plain_view(1), str)
    assert_type(await scoped_view("a", loud=True), int)
    assert_type(manager.create_access_token(data={"sub": "ada"}, scopes=["read"]), str)


async def app(scope: object, receive: object, send: object) -> None: ...


wrapped = AuthMiddleware(Gate(app, scopes=["admin"], exempt=["/static"]), [manager], skip=["/health"])
transport: Transport = CookieTransport.insecure_for_development()
gateway: Transport = HeaderTransport("X-Forwarded-Access-Token", name="gateway", ambient=True)


issuing = LoginManager[User]("k" * 32, store=MemoryStore(), refresh=Refresh(idle=timedelta(days=7)))


async def log_in_from_an_app(user: User) -> None:
    assert_type(await issuing.issue_tokens("ada", scopes=["read"], user=user, client_id="app"), TokenPair)


async def check_password(username: str, password: str) -> Grant | None:
    return Grant(username, scopes=["read"]) if password else None


def check_on_a_thread(username: str, password: str, *, scope: dict[str, object]) -> Grant | None:
    return Grant(username, expires_at=1.5, claims={"from": scope["client"]}) if password else None


cookie = RefreshCookie(trusted_origins=["https://app.example.com"])
endpoints = [
    TokenEndpoint(issuing, password=check_password, cookie=cookie),
    TokenEndpoint(issuing, "/other/token", password=check_on_a_thread),
    RevocationEndpoint(issuing, cookie=RefreshCookie.insecure_for_development(samesite="lax")),
    KeysEndpoint(issuing),
    ServerMetadata(issuing),
]
assert_type(endpoints[0].path, str)
served = Endpoints(AuthMiddleware(app, issuing), *endpoints)
in_front_of_an_endpoint = AuthMiddleware(TokenEndpoint(issuing), issuing)

resource = Resource("https://mcp.example.com/mcp", authorization_servers=["https://login.example.com"], scopes=("use",))
tools = LoginManager[User]("k" * 32, resource=resource)
described = Endpoints(AuthMiddleware(Gate(app), tools), ResourceMetadata(tools))
verifier: TokenVerifier = Verifier(tools)

"""An API on Litestar, with tokens for its clients and a session for its own pages.

python -m pip install . litestar "pwdlib[argon2]" uvicorn
export SECRET=$(asgi-login secret)
uvicorn examples.litestar_app:app
curl -d username=ada -d "password=correct horse" http://127.0.0.1:8000/token
"""

import os
from dataclasses import dataclass
from typing import Annotated, Any

import uvicorn
from anyio import to_thread
from litestar import Litestar, Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import ClientException
from litestar.params import Body
from pwdlib import PasswordHash

from asgi_login import Auth, BearerTransport, CookieTransport, LoginManager
from asgi_login.litestar import LoginPlugin, guard

passwords = PasswordHash.recommended()  # Argon2id
HASHES = {"ada": passwords.hash("correct horse"), "bob": passwords.hash("battery staple")}  # instead of a database
NOBODY = passwords.hash("nobody")  # verified for unknown names, so that they take the same time
SCOPES = {"ada": {"orders:read"}, "bob": set()}
# Without SECRET this raises an error that names it and shows the command to make one. The cookie needs TLS. Firefox and
# new versions of Chrome accept http://localhost; for other browsers use CookieTransport.insecure_for_development().
manager = LoginManager[str](
    os.environ.get("SECRET", ""),
    "/token",
    scopes={"orders:read": "See orders"},
    transports=[BearerTransport(), CookieTransport()],
)


@manager.user_loader
async def load_user(sub: str) -> str | None:
    return sub if sub in HASHES else None


@dataclass
class Credentials:
    """The fields of the login form."""

    username: str
    password: str
    scope: str = ""


Form = Annotated[Credentials, Body(media_type=RequestEncodingType.URL_ENCODED)]
UserRequest = Request[str | None, Auth[str], Any]


async def granted_scopes(form: Credentials) -> set[str]:
    name = form.username
    right = await to_thread.run_sync(passwords.verify, form.password, HASHES.get(name, NOBODY))
    if not right or name not in HASHES:
        raise ClientException("Wrong name or password")
    # Grant the scopes that the client asks for and the user has.
    return SCOPES[name] & set(form.scope.split())


@post("/token", status_code=200)
async def token(data: Form) -> Response[dict[str, str]]:
    scopes = await granted_scopes(data)
    access_token = manager.create_access_token(data={"sub": data.username}, scopes=scopes)
    return Response({"access_token": access_token, "token_type": "bearer"}, headers={"cache-control": "no-store"})


@post("/login", status_code=204)
async def login(data: Form, request: UserRequest) -> None:
    scopes = await granted_scopes(data)
    # Refuse a form on another site with 403.
    manager.login_user(request, data.username, scopes=scopes)


@post("/logout", status_code=204)
async def logout(request: UserRequest) -> None:
    manager.logout_user(request)


@get("/")
async def home(request: UserRequest) -> str:
    return f"Hello {request.user or 'stranger'}"


@get("/me", guards=[guard()])
async def me(request: UserRequest) -> dict[str, str | None]:
    return {"user": request.user}


@get("/orders", guards=[guard("orders:read")])
async def orders(request: UserRequest) -> dict[str, str | None]:
    return {"orders of": request.user}


app = Litestar([token, login, logout, home, me, orders], plugins=[LoginPlugin(manager)])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)

"""A wiki on Starlette with rules: editors write, owners delete their own pages, and only administrators see /admin.

python -m pip install . starlette "pwdlib[argon2]" uvicorn
export SECRET=$(asgi-login secret)
uvicorn examples.roles:app
curl -u "eve:correct horse" -X PUT http://127.0.0.1:8000/pages/tea
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import uvicorn
from pwdlib import PasswordHash
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from asgi_login import (
    Auth,
    BasicTransport,
    Gate,
    Grant,
    LoginManager,
    NotPermitted,
    get_auth,
    login_required,
    requires,
)
from asgi_login.starlette import install

passwords = PasswordHash.recommended()  # Argon2id


@dataclass(frozen=True)
class User:
    """A row of the table of users."""

    name: str
    roles: frozenset[str]
    password: str = field(default=passwords.hash("correct horse"), repr=False)


# Instead of a database.
USERS = {
    name: User(name, frozenset(roles))
    for name, roles in {"ada": ["admin", "editor"], "eve": ["editor"], "bob": []}.items()
}
NOBODY = passwords.hash("nobody")  # verified for unknown names, so that they take the same time
PAGES = {"coffee": "ada"}  # each with its owner
# Without SECRET this raises an error that names it and shows the command to make one.
manager = LoginManager[User](os.environ.get("SECRET", ""), realm="wiki")


@manager.user_loader
async def load_user(sub: str) -> User | None:
    return USERS.get(sub)


# A plain function runs in a worker thread, where Argon2id holds nobody up. Passwords must never travel without TLS.
@manager.credential_loader(BasicTransport())
def check_password(credential: str) -> Grant | None:
    name, _, password = credential.partition(":")
    user = USERS.get(name)
    return Grant(name) if passwords.verify(password, user.password if user else NOBODY) and user else None


def has_role(*roles: str) -> Callable[[Auth[User]], bool]:
    """Return a rule for users who have any of the roles."""
    return lambda auth: auth.user is not None and not auth.user.roles.isdisjoint(roles)


async def is_owner(auth: Auth[User], name: str) -> bool:
    # A database is asked here.
    return auth.user is not None and PAGES.get(name) == auth.user.name


async def pages(_request: Request) -> Response:
    return JSONResponse(sorted(PAGES))


@requires(has_role("editor", "admin"))
async def write(request: Request) -> Response:
    PAGES.setdefault(request.path_params["name"], request.user.name)
    return Response(status_code=204)


@login_required
async def delete(request: Request) -> Response:
    name = request.path_params["name"]
    if not await is_owner(get_auth(request), name):
        # A page that there is not is nobody's: the answer does not tell which pages there are.
        raise NotPermitted("not the owner of the page")
    del PAGES[name]
    return Response(status_code=204)


async def owners(_request: Request) -> Response:
    return JSONResponse(PAGES)


admin = Starlette(routes=[Route("/owners", owners)])
app = Starlette(
    routes=[
        Route("/", pages),
        Route("/pages/{name}", write, methods=["PUT"]),
        Route("/pages/{name}", delete, methods=["DELETE"]),
        # What is added to it next year is behind the rule as well.
        Mount("/admin", app=Gate(admin, check=has_role("admin"))),
    ]
)
install(app, manager)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)

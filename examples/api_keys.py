"""An API on FastAPI for people and for their programs: people log in and make API keys, and programs show these.

python -m pip install . fastapi python-multipart "pwdlib[argon2]" uvicorn
export SECRET=$(asgi-login secret)
uvicorn examples.api_keys:app
curl -c jar -d username=ada -d "password=correct horse" http://localhost:8000/login
curl -b jar -d name=backup -d scopes=orders:read http://localhost:8000/keys
curl -H "X-API-Key: shop_..." http://localhost:8000/orders
"""

import hashlib
import os
import secrets
import time
from dataclasses import dataclass
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response, Security
from fastapi.security import OAuth2PasswordRequestForm
from pwdlib import PasswordHash

from asgi_login import Auth, BearerTransport, CookieTransport, Grant, HeaderTransport
from asgi_login.fastapi import InvalidCredentialsException, LoginManager, install


@dataclass(frozen=True)
class Key:
    """A row of the table of keys. The key itself is in no row."""

    id: str
    owner: str
    name: str
    scopes: frozenset[str]
    created_at: float


passwords = PasswordHash.recommended()  # Argon2id
HASHES = {"ada": passwords.hash("correct horse"), "bob": passwords.hash("battery staple")}  # instead of a database
NOBODY = passwords.hash("nobody")  # verified for unknown names, so that they take the same time
SCOPES = {"ada": frozenset({"orders:read", "orders:write"}), "bob": frozenset({"orders:read"})}
KEYS: dict[str, Key] = {}  # by the hash of the key
# Without SECRET this raises an error that names it and shows the command to make one.
manager = LoginManager[str](
    os.environ.get("SECRET", ""),
    token_url=None,
    scopes={"orders:read": "See orders", "orders:write": "Place orders"},
    transports=[BearerTransport(), CookieTransport()],
)


@manager.user_loader
async def load_user(sub: str) -> str | None:
    return sub if sub in HASHES else None


@manager.credential_loader(HeaderTransport("X-API-Key", name="api-key", ambient=False))
async def load_key(key: str) -> Grant | None:
    row = KEYS.get(digest(key))
    if row is None:
        return None
    # A key can never do more than its owner, also where the owner has been given less since.
    scopes = row.scopes & SCOPES.get(row.owner, frozenset())
    return Grant(row.owner, scopes=sorted(scopes), claims={"iat": row.created_at, "key": row.id})


def digest(key: str) -> str:
    # One round is enough for 256 random bits. A password needs a slow hash.
    return hashlib.sha256(key.encode()).hexdigest()


def is_person(auth: Auth[str]) -> bool:
    return auth.transport == "cookie"


app = FastAPI()
install(app, manager)
# Whoever finds a key must not be able to make more of them.
Person = Annotated[str, Depends(manager.requires(is_person))]


@app.post("/login", status_code=204)
def login(form: Annotated[OAuth2PasswordRequestForm, Depends()], request: Request) -> None:
    if not passwords.verify(form.password, HASHES.get(form.username, NOBODY)) or form.username not in HASHES:
        raise InvalidCredentialsException
    # Refuse a form on another site with 403.
    manager.login_user(request, form.username, scopes=sorted(SCOPES[form.username]))


@app.post("/logout", status_code=204)
def logout(request: Request) -> None:
    manager.logout_user(request)


@app.post("/keys", status_code=201)
def make_key(
    user: Person, name: Annotated[str, Form()], scopes: Annotated[str, Form()], response: Response
) -> dict[str, str]:
    # Secret scanners find "shop_" and 64 hexadecimal digits wherever somebody has published a key.
    key = "shop_" + secrets.token_hex(32)
    row = Key(secrets.token_hex(8), user, name, SCOPES[user] & set(scopes.split()), time.time())
    KEYS[digest(key)] = row
    # Shown once: nobody can read it from the table.
    response.headers["cache-control"] = "no-store"
    return {"id": row.id, "key": key, "scopes": " ".join(sorted(row.scopes))}


@app.get("/keys")
def list_keys(user: Person) -> list[dict[str, str]]:
    return [{"id": row.id, "name": row.name} for row in KEYS.values() if row.owner == user]


@app.delete("/keys/{key_id}", status_code=204)
def revoke_key(user: Person, key_id: str) -> None:
    found = [hashed for hashed, row in KEYS.items() if (row.owner, row.id) == (user, key_id)]
    if not found:
        raise HTTPException(404)
    # It counts at once: load_key asks the table at each request.
    del KEYS[found[0]]


@app.get("/me")
def me(user: Annotated[str, Depends(manager)]) -> dict[str, str]:
    return {"user": user}


@app.get("/orders")
def orders(user: Annotated[str, Security(manager, scopes=["orders:read"])]) -> dict[str, str]:
    return {"orders of": user}


@app.post("/orders")
def order(user: Annotated[str, Security(manager, scopes=["orders:write"])]) -> dict[str, str]:
    return {"ordered by": user}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)

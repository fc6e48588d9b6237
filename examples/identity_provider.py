"""An API on FastAPI whose users log in at an identity provider. It accepts the access tokens of that provider.

python -m pip install ".[issuers]" fastapi uvicorn
export ISSUER=https://login.example.com AUDIENCE=https://api.example.com
uvicorn examples.identity_provider:app
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Security

from asgi_login.fastapi import LoginManager, install
from asgi_login.issuers import Issuer


@dataclass(frozen=True)
class User:
    """Whom the provider vouches for."""

    issuer: object
    sub: str


ISSUER = os.environ.get("ISSUER", "https://login.example.com")
# A provider on this machine, as in development, may speak plain http; any other must not.
issuer = Issuer.insecure_for_development(ISSUER) if ISSUER.startswith("http://") else Issuer(ISSUER)
manager = LoginManager[User](
    issuer, token_url=None, audience=os.environ.get("AUDIENCE", "https://api.example.com"), sessions=None
)
app = FastAPI()
install(app, manager)


@manager.user_loader
async def load_user(sub: str, *, claims: Mapping[str, object]) -> User | None:
    # Instead of a database. A `sub` means something together with its issuer only (OpenID Connect Core §5.7).
    return User(claims["iss"], sub)


@app.get("/")
async def home(user: Annotated[User | None, Depends(manager.optional)]) -> dict[str, str]:
    return {"hello": user.sub if user else "stranger"}


@app.get("/me")
async def me(user: Annotated[User, Depends(manager)]) -> User:
    return user


@app.get("/orders")
async def orders(user: Annotated[User, Security(manager, scopes=["orders:read"])]) -> dict[str, str]:
    return {"orders of": user.sub}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)

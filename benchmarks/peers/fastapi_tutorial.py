"""What FastAPI's own tutorial teaches: OAuth2PasswordBearer, PyJWT, and a user out of a dict, by dependencies.

https://fastapi.tiangolo.com/tutorial/security/oauth2-jwt/
"""

import time
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import PlainTextResponse
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel

from benchmarks.contestants import Contestant, Kind, contestant
from benchmarks.drive import bearer, forged
from benchmarks.keys import SECRET

NAME = "FastAPI's tutorial, Depends + PyJWT, HS256"
_USERS = {"ada": {"username": "ada", "email": "ada@example.com", "disabled": False, "hashed_password": "-"}}


class _Subject(BaseModel):
    username: str


class _User(BaseModel):
    username: str
    email: str | None = None
    full_name: str | None = None
    disabled: bool | None = None


class _StoredUser(_User):
    hashed_password: str


async def _current_user(token: Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="token"))]):
    refusal = HTTPException(401, "Invalid token", {"WWW-Authenticate": "Bearer"})
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError as problem:
        raise refusal from problem
    if claims.get("sub") is None:
        raise refusal
    found = _USERS.get(_Subject(username=claims["sub"]).username)
    if found is None:
        raise refusal
    return _StoredUser(**found)


async def _active_user(user: Annotated[_User, Depends(_current_user)]):
    if user.disabled:
        raise HTTPException(400, "Disabled")
    return user


def contestants() -> list[Contestant]:
    """Return the contestant."""
    app = FastAPI()

    @app.get("/")
    async def home(user: Annotated[_User, Depends(_active_user)]):
        return PlainTextResponse("x")

    token = jwt.encode({"sub": "ada", "scope": "read", "exp": int(time.time()) + 3600}, SECRET, "HS256")
    return [contestant(NAME, Kind.PEER, "FastAPI", app, good=bearer(token), bad=bearer(forged(token)))]

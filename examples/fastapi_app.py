"""An API on FastAPI, with tokens for its clients, the Authorize button in /docs, and a session for its own pages.

python -m pip install . fastapi python-multipart "pwdlib[argon2]" uvicorn
export SECRET=$(asgi-login secret)
uvicorn examples.fastapi_app:app
curl -d username=ada -d "password=correct horse" http://127.0.0.1:8000/token
"""

import os
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Request, Response, Security
from fastapi.security import OAuth2PasswordRequestForm
from pwdlib import PasswordHash

from asgi_login import BearerTransport, CookieTransport
from asgi_login.fastapi import InvalidCredentialsException, LoginManager, install

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
app = FastAPI()
install(app, manager)


@manager.user_loader
async def load_user(sub: str) -> str | None:
    return sub if sub in HASHES else None


def checked(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> OAuth2PasswordRequestForm:
    if not passwords.verify(form.password, HASHES.get(form.username, NOBODY)) or form.username not in HASHES:
        raise InvalidCredentialsException
    # Grant the scopes that the client asks for and the user has.
    form.scopes = sorted(SCOPES[form.username] & set(form.scopes))
    return form


Checked = Annotated[OAuth2PasswordRequestForm, Depends(checked)]


@app.post("/token")
def token(form: Checked, response: Response) -> dict[str, str]:
    response.headers["cache-control"] = "no-store"
    access_token = manager.create_access_token(data={"sub": form.username}, scopes=form.scopes)
    return {"access_token": access_token, "token_type": "bearer"}


@app.post("/login", status_code=204)
def login(form: Checked, request: Request) -> None:
    # Refuse a form on another site with 403.
    manager.login_user(request, form.username, scopes=form.scopes)


@app.post("/logout", status_code=204)
def logout(request: Request) -> None:
    manager.logout_user(request)


@app.get("/")
def home(user: Annotated[str | None, Depends(manager.optional)]) -> str:
    return f"Hello {user or 'stranger'}"


@app.get("/me")
def me(user: Annotated[str, Depends(manager)]) -> dict[str, str]:
    return {"user": user}


@app.get("/orders")
def orders(user: Annotated[str, Security(manager, scopes=["orders:read"])]) -> dict[str, str]:
    return {"orders of": user}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)

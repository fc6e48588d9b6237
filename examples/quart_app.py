"""A site on Quart with a login page and "remember me". Each use renews the login.

python -m pip install . quart "pwdlib[argon2]" uvicorn
export SECRET=$(asgi-login secret)
uvicorn examples.quart_app:app
"""

import os
from html import escape

import uvicorn
from anyio import to_thread
from pwdlib import PasswordHash
from quart import Quart, Response, redirect, request

from asgi_login import BearerTransport, CookieTransport, LoginManager, login_required, requires_scopes, safe_next
from asgi_login.quart import current_user, install

FORM = """<form method=post>{}<input name=username><input name=password type=password>
<label><input name=remember type=checkbox>Remember me</label><button>Log in</button></form>"""
passwords = PasswordHash.recommended()  # Argon2id
HASHES = {"ada": passwords.hash("correct horse"), "bob": passwords.hash("battery staple")}  # instead of a database
NOBODY = passwords.hash("nobody")  # verified for unknown names, so that they take the same time
SCOPES = {"ada": ["orders:read"], "bob": []}
# Without SECRET this raises an error that names it and shows the command to make one. The cookie needs TLS. Firefox and
# new versions of Chrome accept http://localhost; for other browsers use CookieTransport.insecure_for_development().
manager = LoginManager[str](
    os.environ.get("SECRET", ""), transports=[BearerTransport(), CookieTransport()], redirect_to="/login"
)
app = Quart(__name__)
install(app, manager)


@manager.user_loader
async def load_user(sub: str) -> str | None:
    return sub if sub in HASHES else None


async def checked_name() -> str | None:
    form = await request.form
    name, password = form.get("username", ""), form.get("password", "")
    right = await to_thread.run_sync(passwords.verify, password, HASHES.get(name, NOBODY))
    return name if right and name in HASHES else None


@app.post("/token")
async def token() -> tuple[dict[str, str], int, dict[str, str]]:
    if (name := await checked_name()) is None:
        return {"error": "invalid_grant"}, 400, {}  # RFC 6749 §5.2
    access_token = manager.create_access_token(data={"sub": name}, scopes=SCOPES[name])
    return {"access_token": access_token, "token_type": "bearer"}, 200, {"cache-control": "no-store"}


@app.get("/login")
async def login_form() -> str:
    return FORM.format("")


@app.post("/login")
async def login() -> Response | tuple[str, int]:
    if (name := await checked_name()) is None:
        return FORM.format("Wrong name or password. "), 401
    # Refuse a form on another site with 403.
    manager.login_user(request, name, scopes=SCOPES[name], remember="remember" in await request.form)
    return redirect(safe_next(request.args.get("next")), 303)


@app.post("/logout")
async def logout() -> Response:
    manager.logout_user(request)
    return redirect("/", 303)


@app.get("/")
async def home() -> str:
    return f"<p>Hello {escape(str(current_user)) if current_user else 'stranger'}. <a href=/me>Your page</a>"


@app.get("/me")
@login_required
async def me() -> str:
    return f"<p>{escape(str(current_user))}<form method=post action=/logout><button>Log out</button></form>"


@app.get("/orders")
@requires_scopes("orders:read")
async def orders() -> dict[str, str]:
    return {"orders of": str(current_user)}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)

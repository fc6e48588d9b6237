"""A site on Starlette with a login page and "remember me". It redirects visitors to the login page, and back.

python -m pip install . starlette python-multipart "pwdlib[argon2]" uvicorn
export SECRET=$(asgi-login secret)
uvicorn examples.starlette_app:app
"""

import os
from html import escape

import uvicorn
from anyio import to_thread
from pwdlib import PasswordHash
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from asgi_login import BearerTransport, CookieTransport, LoginManager, login_required, requires_scopes, safe_next
from asgi_login.starlette import install

FORM = """<form method=post>{}<input name=username><input name=password type=password>
<label><input name=remember type=checkbox>Remember me</label><button>Log in</button></form>"""
passwords = PasswordHash.recommended()  # Argon2id
HASHES = {"ada": passwords.hash("correct horse"), "bob": passwords.hash("battery staple")}  # instead of a database
NOBODY = passwords.hash("nobody")  # verified for unknown names, so that they take the same time
SCOPES = {"ada": ["orders:read"], "bob": []}
# Without SECRET this raises an error that names it and shows the command to make one. The cookie needs TLS. Firefox and
# new versions of Chrome accept http://localhost; for other browsers use CookieTransport.insecure_for_development().
manager = LoginManager[str](
    os.environ.get("SECRET", ""), transports=[BearerTransport(), CookieTransport()], redirect_to="login"
)


@manager.user_loader
async def load_user(sub: str) -> str | None:
    return sub if sub in HASHES else None


async def checked_name(request: Request) -> str | None:
    form = await request.form()
    name, password = str(form.get("username", "")), str(form.get("password", ""))
    right = await to_thread.run_sync(passwords.verify, password, HASHES.get(name, NOBODY))
    return name if right and name in HASHES else None


async def token(request: Request) -> Response:
    if (name := await checked_name(request)) is None:
        return JSONResponse({"error": "invalid_grant"}, 400)  # RFC 6749 §5.2
    access_token = manager.create_access_token(data={"sub": name}, scopes=SCOPES[name])
    return JSONResponse({"access_token": access_token, "token_type": "bearer"}, headers={"cache-control": "no-store"})


async def login(request: Request) -> Response:
    if request.method == "GET":
        return HTMLResponse(FORM.format(""))
    if (name := await checked_name(request)) is None:
        return HTMLResponse(FORM.format("Wrong name or password. "), 401)
    # Refuse a form on another site with 403.
    manager.login_user(request, name, scopes=SCOPES[name], remember="remember" in await request.form())
    return RedirectResponse(safe_next(request.query_params.get("next")), 303)


async def logout(request: Request) -> Response:
    manager.logout_user(request)
    return RedirectResponse("/", 303)


async def home(request: Request) -> Response:
    return HTMLResponse(f"<p>Hello {escape(request.state.user or 'stranger')}. <a href=/me>Your page</a>")


@login_required
async def me(request: Request) -> Response:
    return HTMLResponse(f"<p>{escape(request.user)}<form method=post action=/logout><button>Log out</button></form>")


@requires_scopes("orders:read")
async def orders(request: Request) -> Response:
    return JSONResponse({"orders of": request.user})


routes = [Route("/", home), Route("/me", me), Route("/orders", orders), Route("/token", token, methods=["POST"])]
routes += [Route("/login", login, methods=["GET", "POST"]), Route("/logout", logout, methods=["POST"])]
app = Starlette(routes=routes)
install(app, manager)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)

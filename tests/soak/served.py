"""The application of both processes: it says who is asking, logs in and out, and ends what it is told to end."""

import asyncio
import os
import time
from datetime import timedelta

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi_login import BearerTransport, CookieTransport, LoginManager, Sessions, get_auth, login_required
from asgi_login.redis import RedisStore
from asgi_login.starlette import install

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"
COOKIE = "session"
REMEMBER = "default-remember-token"
# Variables of the environment: where the store is, how many seconds one question to it may take, and for how many
# seconds a session lives without a request.
STORE, TIMEOUT, IDLE = "SOAK_STORE", "SOAK_TIMEOUT", "SOAK_IDLE"
EXPIRY = timedelta(seconds=15)
MAX_STALENESS = timedelta(seconds=4)


def make_manager(idle, store=None, *, clock=time.time):
    """Return a manager whose sessions are renewed after half of `idle`, and whose view of the store moves on often."""
    manager = LoginManager(
        SECRET,
        transports=[BearerTransport(), CookieTransport.insecure_for_development(COOKIE)],
        sessions=Sessions(idle=idle),
        default_expiry=EXPIRY,
        store=store,
        # Full after some seconds, so that what grows afterwards is something else.
        token_cache_size=256,
        clock=clock,
    )

    @manager.user_loader
    async def load_user(sub):
        return sub

    return manager


def identity(request):
    """Return whom this request is taken for, and when: the clock is the same in every process of a machine."""
    auth = get_auth(request)
    return {"at": time.monotonic(), "user": auth.user, "sid": auth.session_id, "jti": auth.claims.get("jti")}


@login_required
async def who(request):
    return JSONResponse(identity(request))


@login_required
async def hold(request):
    """Answer when `release` says so. By then the session has been renewed, and nobody has its new cookie."""
    state = request.app.state
    state.held.append(identity(request))
    await state.gate.wait()
    return JSONResponse(state.held[-1])


async def holding(request):
    return JSONResponse(request.app.state.held)


async def release(request):
    request.app.state.gate.set()
    return JSONResponse({})


async def login(request):
    query = request.query_params
    request.app.state.manager.login_user(request, query["user"], remember="remember" in query)
    return JSONResponse({})


async def logout(request):
    request.app.state.manager.logout_user(request)
    return JSONResponse({})


@login_required
async def everywhere(request):
    request.app.state.manager.logout_user(request, everywhere=True)
    return JSONResponse(identity(request))


@login_required
async def token(request):
    """Issue a token that belongs to the session, or one that stands by itself."""
    sid = {"sid": get_auth(request).session_id} if "bound" in request.query_params else {}
    data = {"sub": request.state.user, **sid}
    return JSONResponse({"token": request.app.state.manager.create_access_token(data=data)})


async def revoke_session(request):
    await request.app.state.manager.revoke_session((await request.body()).decode())
    return JSONResponse({})


async def revoke_token(request):
    await request.app.state.manager.revoke_token((await request.body()).decode())
    return JSONResponse({})


def make_app(manager):
    posts = {"release": release, "login": login, "logout": logout, "everywhere": everywhere, "token": token}
    posts |= {"revoke_session": revoke_session, "revoke_token": revoke_token}
    routes = [Route("/", who), Route("/hold", hold), Route("/holding", holding)]
    routes += [Route(f"/{name}", view, methods=["POST"]) for name, view in posts.items()]
    app = Starlette(routes=routes)
    app.state.manager, app.state.gate, app.state.held = manager, asyncio.Event(), []
    install(app, manager)
    return app


if STORE in os.environ:
    timeout, idle = (timedelta(seconds=float(os.environ[name])) for name in (TIMEOUT, IDLE))
    app = make_app(make_manager(idle, RedisStore(os.environ[STORE], max_staleness=MAX_STALENESS, timeout=timeout)))

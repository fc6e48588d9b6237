"""A token that came another way than by a request: the same checks, the same outcomes."""

import json
from datetime import timedelta

import pytest
from conformance.driver import http, websocket
from conformance.logins import OTHER_SECRET, DatabaseDownError, Logins, User, forge
from store_browser import Down

from asgi_login import (
    AuthMiddleware,
    CookieTransport,
    InsufficientScope,
    InvalidToken,
    LoginManager,
    MemoryStore,
    Refresh,
    ServiceUnavailable,
    current_auth,
    requires_scopes,
)

pytestmark = pytest.mark.anyio

SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"


@pytest.fixture
def logins():
    return Logins(store=MemoryStore(), refresh=Refresh())


async def test_a_good_token_is_its_user(logins):
    auth = await logins.manager.authenticate_token(logins.token("ada", "read"))
    assert (auth.user, auth.scopes, auth.transport, auth.manager) == (User("ada"), {"read"}, "token", "default")
    assert (auth.error, auth.is_authenticated) == (None, True)


async def test_it_is_asked_again_when_it_is_needed(logins):
    token = logins.token("ada", "read")
    auth = await logins.manager.authenticate_token(token)
    auth.require("read")
    with pytest.raises(InsufficientScope):
        auth.require("write")
    await logins.manager.revoke_token(token)
    with pytest.raises(InvalidToken):
        auth.require("read")


async def test_decorators_work_with_it(logins):
    @requires_scopes("read")
    async def handler():
        return current_auth().user

    auth = await logins.manager.authenticate_token(logins.token("ada", "read"))
    with auth.active():
        assert await handler() == User("ada")


async def bad_tokens(logins):
    now = int(logins.clock())
    revoked = logins.token()
    await logins.manager.revoke_token(revoked)
    pair = await logins.manager.issue_tokens("ada")
    return {
        "nonsense": "nonsense",
        "empty": "",
        "not ASCII": "tökén",
        "another key": Logins(OTHER_SECRET).token(),
        "expired": forge({"alg": "HS256"}, {"sub": "ada", "exp": now - 1}),
        "revoked": revoked,
        "a refresh token": pair.refresh_token,
        "gone": logins.token("gone"),
        "too long": logins.token(more="x" * 10_000) + "x" * 10_000,
    }


async def test_a_bad_one_is_refused_as_in_a_request_and_raises_nothing(logins):
    for token in (await bad_tokens(logins)).values():
        auth = await logins.manager.authenticate_token(token)
        assert (auth.user, type(auth.error)) == (None, InvalidToken)
        with pytest.raises(InvalidToken):
            auth.require()


async def test_a_session_is_for_its_cookie_only():
    logins = Logins(transports=[CookieTransport()])

    async def log_in(scope, receive, send):
        logins.manager.login_user(scope, "ada")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    connection = await http(AuthMiddleware(log_in, logins.manager), "/")
    session = connection.set_cookies[0].partition("=")[2].partition(";")[0]
    assert isinstance((await logins.manager.authenticate_token(session)).error, InvalidToken)


async def test_a_database_that_is_down_is_never_a_stranger(logins):
    with pytest.raises(DatabaseDownError):
        await logins.manager.authenticate_token(logins.token("broken"))


async def test_a_store_that_is_down_is_no_bad_token():
    store = Down()
    logins = Logins(store=store)
    logins.manager.config.revocation._view.fall_silent()
    store.is_down = True
    auth = await logins.manager.authenticate_token(logins.token())
    assert isinstance(auth.error, ServiceUnavailable)


async def test_a_loader_that_takes_the_scope_is_given_the_one_that_is_passed():
    manager = LoginManager[str](SECRET)

    @manager.user_loader
    async def load_user(sub, scope):
        return f"{sub} at {scope['path']}"

    token = manager.create_access_token(data={"sub": "ada"}, expires=timedelta(hours=1))
    assert (await manager.authenticate_token(token, scope={"type": "websocket", "path": "/ws"})).user == "ada at /ws"
    with pytest.raises(TypeError, match="the user loader takes the scope"):
        await manager.authenticate_token(token)


@pytest.mark.parametrize("token", [None, b"bytes", 7, ["a"]])
async def test_what_a_client_sends_in_place_of_a_token_is_refused_like_a_bad_one(logins, token):
    assert isinstance((await logins.manager.authenticate_token(token)).error, InvalidToken)


async def test_a_websocket_logs_in_with_its_first_message(logins):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        auth = await logins.manager.authenticate_token((await receive())["text"], scope=scope)
        await send({"type": "websocket.send", "text": json.dumps(auth.user and auth.user.name)})

    for token, name in [(logins.token(), "ada"), ("nonsense", None)]:
        connection = await websocket(AuthMiddleware(app, logins.manager), "/", token)
        assert connection.texts == [json.dumps(name)]

"""Checks of the application's own: roles, any of several scopes, ownership."""

import anyio.to_thread
import pytest
from conformance.answers import NOT_PERMITTED, UNAUTHORIZED, assert_refused
from conformance.driver import DENIAL, bearer, http, websocket
from conformance.logins import OTHER_SECRET, Logins

from asgi_login import AuthMiddleware, Gate, InvalidToken, NotPermitted, current_auth, requires

pytestmark = pytest.mark.anyio


@pytest.fixture
def logins():
    return Logins()


async def view(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def is_bob(auth):
    return auth.user.name == "bob"


async def is_asked_bob(auth):
    await anyio.lowlevel.checkpoint()
    return is_bob(auth)


def hides_that_it_asks(auth):
    return is_asked_bob(auth)


class Roles:
    """A check that is an object."""

    def __init__(self, *names):
        self.names = names

    async def __call__(self, auth):
        return auth.user.name in self.names


@pytest.mark.parametrize("check", [is_bob, is_asked_bob, Roles("bob", "eve"), hides_that_it_asks])
@pytest.mark.parametrize("gate", ["decorator", "gate"])
async def test_a_check_lets_in_of_whom_it_says_yes(logins, check, gate):
    inside = requires(check)(view) if gate == "decorator" else Gate(view, check=check)
    app = AuthMiddleware(inside, logins.manager)
    assert (await http(app, "/", headers=[bearer(logins.token("bob"))])).body == b"hello"
    assert_refused(await http(app, "/", headers=[bearer(logins.token("ada"))]), NOT_PERMITTED)
    assert_refused(await http(app, "/"), UNAUTHORIZED)


@pytest.mark.parametrize("answer", [None, 0, "", []])
async def test_whatever_is_false_is_a_no(logins, answer):
    app = AuthMiddleware(Gate(view, check=lambda auth: answer), logins.manager)
    assert (await http(app, "/", headers=[bearer(logins.token())])).status == 403


async def test_scopes_come_before_the_check(logins):
    asked = []
    app = AuthMiddleware(Gate(view, scopes=["admin"], check=asked.append), logins.manager)
    connection = await http(app, "/", headers=[bearer(logins.token())])
    assert (connection.json["error"], asked) == ("insufficient_scope", [])


async def test_a_check_of_one_manager_gets_that_manager_s_auth():
    web, admin = Logins(name="web"), Logins(OTHER_SECRET, name="admin")
    seen = []

    def check(auth):
        seen.append(auth.manager)
        return True

    app = AuthMiddleware(requires(check, manager="admin")(view), [web.manager, admin.manager])
    assert_refused(await http(app, "/", headers=[bearer(web.token())]), UNAUTHORIZED)
    assert (await http(app, "/", headers=[bearer(admin.token())])).status == 200
    assert seen == ["admin"]


async def test_what_a_check_raises_is_never_taken_for_a_no(logins):
    def fails(auth):
        raise LookupError("the database is down")

    app = AuthMiddleware(Gate(view, check=fails), logins.manager)
    assert isinstance((await http(app, "/", headers=[bearer(logins.token())])).error, LookupError)


async def test_a_check_may_refuse_in_its_own_words(logins):
    def refuses(auth):
        raise InvalidToken("suspended")

    app = AuthMiddleware(requires(refuses)(view), logins.manager)
    assert (await http(app, "/", headers=[bearer(logins.token())])).json["error"] == "invalid_token"


async def test_a_websocket_is_refused_with_403_or_closed_with_4403(logins):
    app = AuthMiddleware(Gate(view, check=is_bob), logins.manager)
    headers = [bearer(logins.token())]
    assert (await websocket(app, "/", headers=headers, extensions=DENIAL)).status == 403

    async def late(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await requires(is_bob)(view)(scope, receive, send)

    assert (await websocket(AuthMiddleware(late, logins.manager), "/", headers=headers)).close_code == 4403


async def test_the_log_names_the_check_and_not_the_user(logins, caplog):
    caplog.set_level("INFO")
    await http(AuthMiddleware(Gate(view, check=is_bob), logins.manager), "/", headers=[bearer(logins.token())])
    assert "NotPermitted from a Gate: not_permitted: the check is_bob said no" in caplog.text
    assert "ada" not in caplog.text


@pytest.mark.parametrize("check", [is_asked_bob, Roles("bob")])
def test_an_asynchronous_check_on_a_plain_view_is_refused_at_once(check):
    with pytest.raises(TypeError, match="make the view async, or the check a plain function"):

        @requires(check)
        def plain():
            """Never called."""


async def test_a_plain_check_that_returns_what_must_be_awaited_is_never_a_yes(logins):
    @requires(hides_that_it_asks)
    def plain():
        return current_auth().user

    async def app(scope, receive, send):
        with pytest.raises(TypeError, match="must be awaited, and a plain view cannot"):
            await anyio.to_thread.run_sync(plain)
        await view(scope, receive, send)

    assert (await http(AuthMiddleware(app, logins.manager), "/", headers=[bearer(logins.token("bob"))])).status == 200


@pytest.mark.parametrize("check", ["admin", None, 7, str, ["admin"]])
def test_what_is_no_check_is_told(check):
    with pytest.raises(TypeError, match="a check is a function of the Auth"):
        requires(check)


@pytest.mark.parametrize("check", ["admin", str])
def test_a_gate_tells_what_is_no_check(check):
    with pytest.raises(TypeError, match="a check is a function of the Auth"):
        Gate(view, check=check)


def test_a_refusal_says_nothing_about_the_token():
    error = NotPermitted("the check is_bob said no")
    assert (error.status, error.error, error.challenge) == (403, "access_denied", 'Bearer realm="api"')
    assert str(error) == "You are not permitted to do this"


async def yields(auth):
    yield False


@pytest.mark.parametrize(
    "check",
    [
        lambda auth: (one for one in ()),
        lambda auth: filter(None, ()),
        lambda auth: auth.require,
        lambda auth: "false",
        lambda auth: [False],
        yields,
    ],
)
@pytest.mark.parametrize("gate", ["decorator", "gate"])
async def test_what_is_true_only_because_it_is_there_lets_nobody_in(logins, check, gate):
    inside = requires(check)(view) if gate == "decorator" else Gate(view, check=check)
    connection = await http(AuthMiddleware(inside, logins.manager), "/", headers=[bearer(logins.token())])
    assert isinstance(connection.error, TypeError)
    assert "returns True or False" in str(connection.error)

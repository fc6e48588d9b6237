"""What a manager tells of is told once, in every framework."""

import pytest
from conformance.browser import Browser
from conformance.driver import DENIAL, bearer, http, websocket
from conformance.logins import Logins

pytestmark = pytest.mark.anyio

CLIENT = "203.0.113.7"


@pytest.fixture
def events():
    return []


@pytest.fixture
def telling(events):
    return Logins(on_event=events.append)


def told(events):
    """Return what was told, and forget it."""
    seen = [(event.kind, event.reason, event.sub, event.client) for event in events]
    events.clear()
    return seen


class TestEvents:
    async def test_the_way_of_a_login_is_told_event_by_event(self, mounting, telling, events):
        browser = Browser(mounting.app(telling), telling.clock)
        await browser.log_in()
        telling.clock.tick(600)
        await browser.get("/public")
        await browser.post("/session/confirm")
        await browser.post("/session/out")
        assert told(events) == [
            (kind, None, "ada", CLIENT) for kind in ("logged_in", "renewed", "confirmed", "logged_out")
        ]

    @pytest.mark.parametrize("path", ["/login", "/admin/page", "/require"])
    async def test_a_gate_tells_once_whom_it_keeps_out(self, mounting, telling, events, path):
        await http(mounting.app(telling), path)
        assert told(events) == [("refused", "no_credential", None, CLIENT)]

    @pytest.mark.parametrize(
        ("path", "event"),
        [
            ("/read", ("refused", "missing_scope", "ada", CLIENT)),
            ("/editors", ("refused", "not_permitted", "ada", CLIENT)),
            ("/fresh", ("not_fresh", "not_fresh", "ada", CLIENT)),
        ],
    )
    async def test_a_gate_tells_which_user_may_not_pass(self, mounting, telling, events, path, event):
        await http(mounting.app(telling), path, headers=[bearer(telling.token())])
        assert told(events) == [event]

    async def test_a_refused_credential_is_told_once(self, mounting, telling, events):
        app = mounting.app(telling)
        assert (await http(app, "/login", headers=[bearer("nonsense")])).status == 401
        assert (await http(app, "/public", headers=[bearer("nonsense")])).status == 200
        assert told(events) == [("refused", "malformed_token", None, CLIENT)] * 2

    async def test_a_websocket_that_is_refused_is_told(self, mounting, telling, events):
        await websocket(mounting.app(telling), "/ws/login", extensions=DENIAL)
        assert told(events) == [("refused", "no_credential", None, CLIENT)]

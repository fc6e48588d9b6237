"""What is told of logins that are made of tokens, and of stores that cannot be reached."""

import pytest
from conformance.driver import bearer, http
from conformance.logins import Logins
from helpers import Clock
from oauth.posting import issuing, post, refresh

from asgi_login import AuthMiddleware, BearerTransport, Event, Grant
from asgi_login.oauth import RefreshCookie, RevocationEndpoint, TokenEndpoint

PASSWORD = {"grant_type": "password", "username": "ada", "password": "right"}


async def check(username, password):
    return Grant(username) if password == "right" else None


class Site:
    def __init__(self, **settings):
        self.events, self.clock = [], Clock()
        self.manager = issuing(on_event=self.events.append, clock=self.clock)
        self.tokens = TokenEndpoint(self.manager, password=check, **settings)

    def told(self):
        told = [(event.kind, event.sub, event.transport, event.reason) for event in self.events]
        self.events.clear()
        return told


def test_a_password_is_a_login_and_a_wrong_one_a_refusal():
    site = Site()
    assert post(site.tokens, PASSWORD).status == 200
    assert isinstance(site.events[0].sid, str)
    post(site.tokens, {**PASSWORD, "password": "wrong"})
    assert site.told() == [("logged_in", "ada", "password", None), ("refused", None, "password", "wrong_password")]


def test_a_refresh_token_renews_and_a_used_one_tells_of_the_copy():
    site = Site()
    first = post(site.tokens, PASSWORD).json()["refresh_token"]
    refresh(site.tokens, first)
    site.clock.now += 60
    refresh(site.tokens, first)
    assert site.told() == [
        ("logged_in", "ada", "password", None),
        ("renewed", "ada", "refresh_token", None),
        ("refresh_reused", "ada", "refresh_token", None),
        ("refused", "ada", "refresh_token", "reused"),
    ]


@pytest.mark.parametrize(("token", "reason"), [("garbage", "malformed_token"), ("ü", "malformed_token")])
def test_what_is_no_refresh_token_is_refused(token, reason):
    site = Site()
    assert refresh(site.tokens, token).status == 400
    assert site.told() == [("refused", None, "refresh_token", reason)]


def test_a_scope_that_was_not_granted_is_missing():
    site = Site()
    token = post(site.tokens, PASSWORD).json()["refresh_token"]
    site.told()
    assert refresh(site.tokens, token, scope="admin").status == 400
    assert site.told() == [("refused", "ada", "refresh_token", "missing_scope")]


def test_another_site_that_sends_the_cookie_is_refused():
    site = Site(cookie=RefreshCookie())
    post(site.tokens, headers=[(b"host", b"example.com"), (b"origin", b"https://evil.example")])
    assert site.told() == [("refused", None, "refresh_token", "cross_origin")]


def test_the_revocation_endpoint_tells_what_it_ended():
    site = Site()
    token = post(site.tokens, PASSWORD).json()["refresh_token"]
    (login,) = site.events
    site.events.clear()
    revoke = RevocationEndpoint(site.manager)
    post(revoke, {"token": token}, path="/auth/revoke")
    post(revoke, {"token": "garbage"}, path="/auth/revoke")
    assert [(event.kind, event.sub, event.sid) for event in site.events] == [("revoked", "ada", login.sid)]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_store_that_cannot_be_reached_is_told_once(anyio_backend):
    redis = pytest.importorskip("asgi_login.redis", reason="redis-py: uv sync --group test")
    events = []
    # Nothing listens on port 1.
    logins = Logins(
        transports=[BearerTransport()], store=redis.RedisStore("redis://127.0.0.1:1"), on_event=events.append
    )
    app = AuthMiddleware(page, logins.manager)
    for _ in range(3):
        await http(app, "/", headers=[bearer(logins.token())])
    downs = [event for event in events if event.kind == "store_down"]
    assert downs == [Event(kind="store_down", manager="default", reason="unavailable", client=None, at=logins.clock())]
    assert {event.reason for event in events} == {"unavailable"}


async def page(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

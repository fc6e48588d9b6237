"""What the tests of endpoints have in common: managers with refresh tokens, and forms that are posted to them."""

from urllib.parse import urlencode

from helpers import Response, http_scope, make_manager, run

from asgi_login import MemoryStore, Refresh, ServiceUnavailable

FORM = (b"content-type", b"application/x-www-form-urlencoded")


def issuing(*, refresh=None, **settings):
    """Return a manager that issues refresh tokens, for the users "ada" and "user1"."""
    settings.setdefault("store", MemoryStore())
    return make_manager(refresh=refresh or Refresh(), **settings)


def pair_of(manager, sub="ada", **more):
    return run(manager.issue_tokens(sub, **more))


async def send_body(app, scope, *chunks, gone=False) -> Response | None:
    """Send one request with a body in these chunks; None if it was not answered. `gone`: and hang up before the end."""
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if gone:
        waiting.append({"type": "http.disconnect"})
    else:
        waiting[-1]["more_body"] = False
    messages = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        messages.append(message)

    await app(scope, receive, send)
    if not messages:
        return None
    start, body = messages
    assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
    assert set(body) == {"type", "body"}
    return Response(start["status"], start["headers"], body["body"])


def post(app, form=(), *, path="/auth/token", headers=(), body=None, method="POST", **scope):
    """Post a form, or a body, to an application that never waits."""
    body = urlencode(form).encode() if body is None else body
    lines = [FORM, (b"content-length", str(len(body)).encode()), *headers]
    return run(send_body(app, http_scope(method, path, lines, **scope), body))


def refresh(app, token, *, headers=(), **more):
    """Post a refresh token with these parameters."""
    return post(app, {"grant_type": "refresh_token", "refresh_token": token, **more}, headers=headers)


def said(answer):
    """Return the status and the code of an error, after a look at the rest of it (RFC 6749 §5.2)."""
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in body["error_description"])
    assert answer.header("content-type") == "application/json"
    assert answer.header("cache-control") == "no-store"
    assert answer.header("pragma") == "no-cache"
    assert answer.header("content-length") == str(len(answer.body))
    return answer.status, body["error"]


class DownStore(MemoryStore):
    """A store that can stop to answer."""

    is_down = False

    def open(self, name, **settings):
        return _Channel(self, super().open(name, **settings))


class _Channel:
    def __init__(self, store, channel):
        self.store, self.channel = store, channel

    def __getattr__(self, name):
        if self.store.is_down:
            raise ServiceUnavailable("the store does not answer")
        return getattr(self.channel, name)

"""What the tests of endpoints have in common: managers with refresh tokens, and forms that are posted to them."""

from urllib.parse import urlencode

from helpers import Clock, Response, http_scope, make_manager, run

from asgi_login import MemoryStore, Refresh

FORM = (b"content-type", b"application/x-www-form-urlencoded")


def issuing(**settings):
    """Return a manager that issues refresh tokens, for the users "ada" and "user1"."""
    settings.setdefault("store", MemoryStore())
    return make_manager(refresh=Refresh(), **settings)


def pair_of(manager, sub="ada", **more):
    return run(manager.issue_tokens(sub, **more))


async def send_body(app, scope, *chunks) -> Response:
    """Send one request with a body in these chunks."""
    waiting = [*chunks] or [b""]
    messages = []

    async def receive():
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    async def send(message):
        messages.append(message)

    await app(scope, receive, send)
    start, body = messages
    assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
    assert set(body) == {"type", "body"}
    return Response(start["status"], start["headers"], body["body"])


def post(app, form=(), *, path="/auth/token", headers=(), body=None, method="POST", **scope):
    """Post a form, or a body, to an application that never waits."""
    body = urlencode(form).encode() if body is None else body
    lines = [FORM, (b"content-length", str(len(body)).encode()), *headers]
    return run(send_body(app, http_scope(method, path, lines, **scope), body))


def refresh(app, token, **more):
    """Post a refresh token with these parameters."""
    return post(app, {"grant_type": "refresh_token", "refresh_token": token, **more})


__all__ = ["FORM", "Clock", "issuing", "pair_of", "post", "refresh", "send_body"]

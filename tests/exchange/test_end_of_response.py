"""Where a response ends: what runs afterwards is a background task, and no request is being handled there."""

from contextlib import suppress

import pytest
from helpers import bearer, hs256, http_scope, make_manager, run

from asgi_login import AuthMiddleware, current_auth

START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"x"}
PATHSEND = {"type": "http.response.pathsend", "path": "/srv/file"}
ZEROCOPY = {"type": "http.response.zerocopysend", "file": 3}
TRAILERS = {"type": "http.response.trailers", "headers": []}
WITH_TRAILERS = {**START, "trailers": True}


def more(message):
    return {**message, "more_trailers" if message["type"].endswith("trailers") else "more_body": True}


def users_after(*messages):
    """Send messages of an application, and return who the user is after each, until the request is over."""
    users, sent = [], []

    async def app(scope, receive, send):
        for message in messages:
            await send(message)
            with suppress(RuntimeError):
                users.append(current_auth().user)

    async def send(message):
        sent.append(message)

    run(AuthMiddleware(app, make_manager())(http_scope(headers=[bearer(hs256())]), None, send))
    assert sent == list(messages)
    return users


@pytest.mark.parametrize(
    "messages",
    [
        [START, BODY],
        [START, more(BODY), more(BODY), BODY],
        [START, PATHSEND],
        [START, ZEROCOPY],
        [START, more(ZEROCOPY), ZEROCOPY],
        [START, more(ZEROCOPY), BODY],
        [START, more(BODY), ZEROCOPY],
        [WITH_TRAILERS, BODY, TRAILERS],
        [{**START, "trailers": 1}, {**BODY, "more_body": 1}, BODY, {**TRAILERS, "more_trailers": 1}, TRAILERS],
        [{**START, "trailers": None}, {**BODY, "more_body": None}],
        [WITH_TRAILERS, ZEROCOPY, TRAILERS],
        [WITH_TRAILERS, PATHSEND, TRAILERS],
        [WITH_TRAILERS, more(BODY), BODY, more(TRAILERS), TRAILERS],
        # hypercorn sends what gRPC answers in place of a response.
        [TRAILERS],
    ],
    ids=lambda messages: " ".join(one["type"].rpartition(".")[2] for one in messages),
)
def test_the_request_is_over_after_the_last_message_of_a_response_and_not_before(messages):
    assert users_after(*messages) == ["ada"] * (len(messages) - 1)


@pytest.mark.parametrize("kind", ["http.response.debug", "http.response.early_hint", "http.response.push"])
def test_what_is_sent_before_a_response_ends_nothing(kind):
    assert users_after({"type": kind}, START, BODY) == ["ada", "ada"]

"""What the client sees of each refusal, to the byte."""

import json
from dataclasses import dataclass

from conformance.browser import names


@dataclass(frozen=True)
class Answer:
    """What the client sees of a refusal."""

    status: int
    error: str
    description: str
    challenge: str | None


UNAUTHORIZED = Answer(401, "unauthorized", "Authentication is required", 'Bearer realm="api"')


def with_code(status, error, description, more=""):
    challenge = f'Bearer realm="api", error="{error}", error_description="{description}"{more}'
    return Answer(status, error, description, challenge)


INVALID_TOKEN = with_code(401, "invalid_token", "The token is invalid")
EXPIRED = with_code(401, "invalid_token", "The token has expired")
INVALID_REQUEST = with_code(
    400, "invalid_request", "The request must carry one Authorization header with one Bearer token"
)
NOT_FRESH = with_code(401, "insufficient_user_authentication", "A more recent login is required")
NOT_PERMITTED = Answer(403, "access_denied", "You are not permitted to do this", 'Bearer realm="api"')
CROSS_ORIGIN = Answer(403, "cross_origin_request", "The request comes from another origin", None)


def insufficient_scope(*required):
    description = "The request requires higher privileges than the token grants"
    return with_code(403, "insufficient_scope", description, f', scope="{" ".join(required)}"')


def assert_refused(connection, answer, *, has_body=True, sets=frozenset()):
    """Fail unless this is the answer, and sets or deletes these cookies."""
    body = json.dumps({"error": answer.error, "error_description": answer.description}).encode()
    assert (connection.status, connection.body) == (answer.status, body if has_body else b"")
    assert connection.header("www-authenticate") == ([answer.challenge] if answer.challenge else [])
    assert connection.header("content-type") == ["application/json"]
    assert connection.header("content-length") == [str(len(body))]
    assert connection.header("cache-control") == ["no-store"]
    assert connection.header("location") == []
    assert names(connection) == sets
    assert connection.is_complete

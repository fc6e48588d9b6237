"""KeysEndpoint: publishes the keys by which others verify the tokens of a manager (RFC 7517 §5)."""

from collections.abc import Mapping
from typing import ClassVar

from asgi_login.config import HasConfig
from asgi_login.oauth.answers import Answer, json_answer
from asgi_login.oauth.endpoint import Endpoint
from asgi_login.scope import Receive, Scope

# Long enough to spare the server, short enough for a new key to be known soon.
_KEPT = (b"cache-control", b"public, max-age=300")


class KeysEndpoint(Endpoint):
    """Answers a GET with the public halves of the manager's keys, as a JWK Set.

    Args:
        manager: Whose keys; none of them is a secret.
        path: Below the server's `root_path`.

    Raises:
        TypeError: `manager` is none.
        ValueError: One of its keys is a secret, which whoever verifies with it could also sign with; or it has only
            those of an Issuer, which publishes them itself.

    A service is sure to know a key a quarter of an hour after it was published: add a new key as the last of the
    manager's keys, and make it the first, which signs, after that.
    """

    _methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")

    def __init__(self, manager: HasConfig, path: str = "/.well-known/jwks.json") -> None:
        super().__init__(manager, path)
        keys = [key.jwk for key in self._config.tokens.keys]
        if not keys:
            raise ValueError(
                "a KeysEndpoint publishes keys, and this manager has only those of an Issuer, which publishes them "
                "itself: leave the endpoint out"
            )
        if None in keys:
            raise ValueError(
                "a KeysEndpoint publishes keys, and this manager has a secret (HS256, HS384 or HS512): sign with a "
                'private key, like Key(pem, "ES256")'
            )
        # RFC 7517 §8.5.2
        self._set = json_answer({"keys": keys}, headers=[_KEPT], media_type=b"application/jwk-set+json")

    def describe(self, url: str) -> Mapping[str, object]:
        """Return what ServerMetadata says of it (RFC 8414 §2)."""
        return {"jwks_uri": url}

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:  # noqa: ARG002 - every request gets the same
        return self._set

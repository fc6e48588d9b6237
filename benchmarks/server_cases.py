"""What wrk asks for: pages, and whether a token is sent; each with the proof that the page tells good from bad."""

from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from benchmarks.drive import forged
from benchmarks.ours import access_token, make_manager

# All share one secret, so that all read the same token.
_TOKEN = access_token(make_manager())
_BARE_PLAIN, _BARE_PLAIN_ANONYMOUS = "without, a bearer token sent", "without, no token sent"
FASTAPI = "FastAPI without a login"
INSTALLED = "asgi-login, install and current_auth()"
DEPENDS = "asgi-login, Depends(manager)"
TUTORIAL = "FastAPI's tutorial, dependencies and PyJWT"
_UNAUTHORIZED = 401


@dataclass(frozen=True)
class Case:
    """A page, and what is sent to it.

    Attributes:
        name: In the table.
        app: What makes the application, in `server_apps`.
        accepts: What it answers to a good token: a body, or another status than 200.
        refuses: What it answers to a forged token, and to none.
        base: The name of the case that it is compared with; None if it is bare.
        token: What is sent, if anything.
    """

    name: str
    app: str
    accepts: bytes | int
    refuses: bytes | int
    base: str | None = None
    token: str | None = _TOKEN

    def check(self, port: int) -> None:
        """Fail unless it answers as it must."""
        expected = {_TOKEN: self.accepts, forged(_TOKEN): self.refuses, None: self.refuses}
        found = {token: _answer(port, token) for token in expected}
        assert found == expected, f"{self.name} answers {list(found.values())} instead of {list(expected.values())}"


PLAIN = (
    Case(_BARE_PLAIN, "plain", b"ada", b"ada"),
    Case("with, bearer, cached", "plain_ours", b"ada", b"-", _BARE_PLAIN),
    Case(_BARE_PLAIN_ANONYMOUS, "plain", b"ada", b"ada", token=None),
    Case("with, anonymous", "plain_ours", b"ada", b"-", _BARE_PLAIN_ANONYMOUS, token=None),
)
ON_FASTAPI = (
    Case(FASTAPI, "fastapi", b"x", b"x"),
    *(
        Case(name, app, b"x", _UNAUTHORIZED, FASTAPI)
        for name, app in {
            INSTALLED: "fastapi_ours",
            DEPENDS: "fastapi_ours_depends",
            "fastapi-login, Depends(manager)": "fastapi_login",
            TUTORIAL: "fastapi_tutorial",
        }.items()
    ),
)


def _answer(port: int, token: str | None) -> bytes | int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}/", headers=headers), timeout=5) as answer:
            return answer.read()
    except HTTPError as refusal:
        refusal.close()
        return refusal.code

"""The two processes as a client sees them: what it sends, what it gets, and what its credentials say."""

import base64
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import httpx
from soak.served import COOKIE, REMEMBER

# Far longer than anything here takes.
PATIENCE = 10
# The status of an answer that did not come.
NOTHING = 0


@dataclass(frozen=True)
class Credential:
    """Something that a client can show.

    Attributes:
        headers: How it is shown.
        exp: When it expires, in seconds since the epoch.
        cookies: The cookies in it, by their names.
    """

    headers: dict[str, str]
    exp: float
    cookies: dict[str, str] = field(default_factory=dict)


def in_cookies(cookies):
    """Return a credential of cookies, which lasts as long as the last of them."""
    line = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return Credential({"cookie": line}, max(claims_of(value)["exp"] for value in cookies.values()), cookies)


def bearer(token):
    return Credential({"authorization": f"Bearer {token}"}, claims_of(token)["exp"])


def claims_of(token):
    """Return what a token says, unverified: it is our own."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@dataclass(frozen=True)
class Answer:
    """What a process answered, and when, by the clock that all processes share.

    Attributes:
        process: Its number.
        path: What was asked for.
        status: The status, or NOTHING.
        sent, received: When the client sent the request and had the answer.
        at: When the application was called; where that is not known, the same as `received`.
        user, sid, jti: Whom the request was taken for.
        cookies: The login cookies that were set; those that were deleted are empty.
        content: The body, out of JSON.
    """

    process: int
    path: str
    status: int
    sent: float
    received: float
    cookies: dict[str, str]
    content: dict

    @property
    def at(self):
        return self.content.get("at", self.received)

    @property
    def user(self):
        return self.content.get("user")

    @property
    def sid(self):
        return self.content.get("sid")

    @property
    def jti(self):
        return self.content.get("jti")


class Site:
    """Both processes.

    Args:
        servers: The processes.
        record: Is told of every answer.
    """

    def __init__(self, servers, record):
        self._servers, self._record, self._stack, self._clients = servers, record, AsyncExitStack(), []

    async def __aenter__(self):
        # The servers close a connection after five seconds without a request.
        limits = httpx.Limits(keepalive_expiry=2)
        for server in self._servers:
            client = httpx.AsyncClient(base_url=server.origin, timeout=PATIENCE, trust_env=False, limits=limits)
            # It would keep the cookies of one person, and send them with the next request of another.
            client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._clients.append(await self._stack.enter_async_context(client))
        return self

    async def __aexit__(self, *problem):
        await self._stack.aclose()

    async def ask(self, process, path, credential=None, *, method="GET", content=None):
        """Send a request, and return the answer after the record has seen it."""
        headers = {} if credential is None else credential.headers
        sent = time.monotonic()
        try:
            response = await self._clients[process].request(method, path, headers=headers, content=content)
        except httpx.HTTPError as problem:
            answer = Answer(process, path, NOTHING, sent, time.monotonic(), {}, {})
            self._record.violate(answer, f"no answer: {problem!r}")
            return answer
        received = time.monotonic()
        body = response.json() if response.status_code in {200, 401, 503} else {}
        cookies = dict(_cookie(line) for line in response.headers.get_list("set-cookie"))
        answer = Answer(process, path, response.status_code, sent, received, cookies, body)
        self._record.answered(answer)
        return answer


def _cookie(line):
    name, _, rest = line.partition("=")
    assert name in {COOKIE, REMEMBER}
    return name, rest.partition(";")[0]

"""Managers with users, a clock that stands still, and tokens good and bad."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from asgi_login import BearerTransport, CookieTransport, LoginManager

NOW = 1_750_000_000.0
SECRET = "o3TqkUv8yKp2mZr5Wd1xNc7Jb4Ha9EfG"
OTHER_SECRET = "Xw6Rj0Ls3Qv9Tz2Yb5Ce8Gm1Kf4Pn7Ud"


class DatabaseDownError(Exception):
    """What the user loader raises when the database is down."""


@dataclass(frozen=True)
class User:
    name: str


class Clock:
    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now

    def tick(self, seconds):
        self.now += seconds


class Logins:
    """One manager, and whom it has looked up; there is no user "gone", and for "broken" the database is down."""

    def __init__(self, secret=SECRET, *, clock=None, factory=LoginManager, **settings):
        self.is_shared = False
        self.clock = clock or Clock()
        self.loads = []
        settings.setdefault("transports", [BearerTransport(), CookieTransport()])
        self.manager = factory(secret, clock=self.clock, **settings)
        self.manager.user_loader(self._load)

    async def _load(self, sub):
        self.loads.append(sub)
        if sub == "broken":
            raise DatabaseDownError
        return None if sub == "gone" else User(sub)

    def forget(self):
        """Begin anew."""
        self.loads.clear()
        self.clock.now = NOW

    def token(self, sub="ada", *scopes, **claims):
        return self.manager.create_access_token(data={"sub": sub, **claims}, scopes=scopes)

    def fresh_token(self, sub="ada", *scopes):
        return self.token(sub, *scopes, auth_time=int(self.clock()))


def shared(**settings):
    """Return logins for more than one test, so that their applications are built once; call `forget` before each."""
    logins = Logins(**settings)
    logins.is_shared = True
    return logins


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def forge(header, payload, secret=SECRET):
    """Return a token with an HS256 signature that holds, whatever it says."""
    signed = b".".join(_b64(json.dumps(part).encode()) for part in (header, payload))
    return (signed + b"." + _b64(hmac.digest(secret.encode(), signed, hashlib.sha256))).decode()


def bad_tokens(logins):
    """Return tokens that are refused, by what is wrong with them; none of them is expired."""
    good = logins.token()
    head, payload, signature = good.split(".")
    later = Logins(clock=Clock(logins.clock() + 3600))
    elsewhere = Logins(clock=logins.clock, audience="https://elsewhere.example")
    claims = {"sub": "ada", "exp": int(logins.clock()) + 60}
    return {
        "garbage": "not-a-token",
        "two parts": f"{head}.{payload}",
        "another signature": f"{head}.{payload}.{'A' * len(signature)}",
        "another payload": f"{head}.{logins.token('bob').split('.')[1]}.{signature}",
        "no algorithm": forge({"alg": "none"}, claims).rpartition(".")[0] + ".AAAA",
        "an unknown key": Logins(OTHER_SECRET, clock=logins.clock).token(),
        "issued in the future": later.token(),
        "another audience": elsewhere.token(),
        "a session token": forge({"alg": "HS256", "typ": "session+jwt"}, claims),
        "no exp": forge({"alg": "HS256"}, {"sub": "ada"}),
        "no sub": forge({"alg": "HS256"}, {"exp": claims["exp"]}),
        "a user that is gone": logins.token("gone"),
        "nine thousand bytes of nothing": "a" * 9_000,
    }

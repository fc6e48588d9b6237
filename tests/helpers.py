"""A tiny in-memory ASGI client, tokens made by hand, and keys that are made once."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from asgi_login import Auth, AuthMiddleware, BearerTransport, CookieTransport, Gate, LoginManager, get_auth

NOW = 1_700_000_000
SECRET = "0123456789-abcdefghij-ABCDEFGHIJ-KLMNOPQRST"
OTHER_SECRET = "another-secret-of-thirty-two-bytes-and-more"
COOKIE = "__Host-access-token"


@dataclass
class Clock:
    """A clock that stands still until a test moves it."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def run(coroutine: Coroutine):
    """Drive a coroutine that never waits for anything, without an event loop: what it does needs no input or output."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise AssertionError("the coroutine waited for something")


@dataclass(frozen=True)
class Response:
    """What an application answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key.decode("latin-1").lower() == name]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


def http_scope(method="GET", path="/", headers=(), **more):
    """Build a scope as a server does; `...` leaves a key out."""
    lines = [(_bytes(name), _bytes(value)) for name, value in headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogateescape"),
        "root_path": "",
        "query_string": b"",
        "headers": lines,
        "client": ("192.0.2.1", 50000),
        "server": ("example.com", 443),
    }
    return {key: value for key, value in (scope | more).items() if value is not ...}


def websocket_scope(path="/", headers=(), **more):
    own = {"type": "websocket", "scheme": "wss", "subprotocols": [], "extensions": {}}
    return http_scope(..., path, headers, **(own | more))


def bearer(token):
    return (b"authorization", b"Bearer " + _bytes(token))


def cookie(token, name=COOKIE):
    return (b"cookie", _bytes(name) + b"=" + _bytes(token))


async def send_request(app, scope) -> Response:
    """Send one request and put its answer together; an answer that breaks the protocol fails the test."""
    messages = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        messages.append(message)

    await app(scope, receive, send)
    start, *bodies = messages
    assert start["type"] == "http.response.start"
    assert {body["type"] for body in bodies} == {"http.response.body"}
    assert set(start) <= {"type", "status", "headers", "trailers"}
    assert all(set(body) <= {"type", "body", "more_body"} for body in bodies)
    assert not bodies[-1].get("more_body", False)
    headers = list(start.get("headers", ()))
    assert all(type(name) is bytes and type(value) is bytes for name, value in headers)
    assert not any(byte in value for _, value in headers for byte in b"\r\n\0")
    return Response(start["status"], headers, b"".join(body.get("body", b"") for body in bodies))


def request(app, method="GET", path="/", headers=(), **more) -> Response:
    """Send a request to an application that never waits."""
    return run(send_request(app, http_scope(method, path, headers, **more)))


async def open_websocket(app, scope) -> list[dict]:
    """Open a websocket and return what the application sent."""
    to_app = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1005}]
    messages = []

    async def receive():
        return to_app.pop(0)

    async def send(message):
        messages.append(message)

    await app(scope, receive, send)
    return messages


def websocket(app, path="/", headers=(), **more) -> list[dict]:
    """Open a websocket to an application that never waits."""
    return run(open_websocket(app, websocket_scope(path, headers, **more)))


async def hello(scope, receive, send):
    """Answer 200 with what is known of the user, or accept a websocket."""
    auth = get_auth(scope)
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": repr(auth.user)})
        await send({"type": "websocket.close", "code": 1000})
        return
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": repr(auth.user).encode()})


def make_manager(secret=SECRET, *, users=("ada", "user1"), clock=None, loaded=None, **settings) -> LoginManager[str]:
    """Return a manager for header and cookie whose users are their own ids; `loaded` collects who was looked up."""
    settings.setdefault("transports", [BearerTransport(), CookieTransport()])
    manager = LoginManager[str](secret, clock=clock or Clock(), **settings)

    @manager.user_loader
    async def load(sub):
        if loaded is not None:
            loaded.append(sub)
        return sub if users is None or sub in users else None

    return manager


def authenticate(manager, *headers, **scope) -> Auth[str]:
    """Send a request through the middleware of `manager`, and return what it made of it."""
    seen = []

    async def look(scope, receive, send):
        seen.append(get_auth(scope))
        await hello(scope, receive, send)

    answer = request(AuthMiddleware(look, manager), headers=headers, **scope)
    assert answer.status == 200
    return seen[0]


def protected(manager, **gate):
    """Return an application behind a gate."""
    return AuthMiddleware(Gate(hello, **gate), manager)


def claims(**changes):
    """Return claims of a good token, with changes; `...` leaves one out."""
    good = {"sub": "ada", "iat": NOW - 10, "exp": NOW + 600, "jti": "0123456789abcdef0123456789abcdef"}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def b64(data) -> str:
    return urlsafe_b64encode(_bytes(data)).rstrip(b"=").decode()


def unb64(text) -> bytes:
    return urlsafe_b64decode(_bytes(text) + b"=" * (-len(text) % 4))


def parts(token) -> tuple[dict, dict]:
    """Return header and claims of a token, unverified."""
    header, payload, _ = token.split(".")
    return json.loads(unb64(header)), json.loads(unb64(payload))


def hs256(payload=None, header=None, secret=SECRET) -> str:
    """Make a validly signed HS256 token out of anything: dicts, or bytes that need not even be JSON."""
    signed = _signing_input({"alg": "HS256", "typ": "at+jwt"} if header is None else header, payload)
    return f"{signed}.{b64(hmac.digest(_bytes(secret), signed.encode(), 'sha256'))}"


def rs256(payload=None, header=None, pem=None) -> str:
    """Make a validly signed RS256 token."""
    signed = _signing_input({"alg": "RS256", "typ": "at+jwt"} if header is None else header, payload)
    key = load_pem_private_key(pem or rsa_pem(), None)
    return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _signing_input(header, payload) -> str:
    payload = claims() if payload is None else payload
    return ".".join(b64(part if isinstance(part, bytes) else json.dumps(part)) for part in (header, payload))


@cache
def rsa_pem(bits=2048) -> bytes:
    return private_pem(rsa.generate_private_key(public_exponent=65537, key_size=bits))


@cache
def other_rsa_pem() -> bytes:
    return private_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@cache
def ec_pem(curve=ec.SECP256R1) -> bytes:
    return private_pem(ec.generate_private_key(curve()))


@cache
def ed25519_pem() -> bytes:
    return private_pem(ed25519.Ed25519PrivateKey.generate())


def private_pem(key, password=None) -> bytes:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@cache
def encrypted_pem(pem: bytes, password: bytes) -> bytes:
    return private_pem(load_pem_private_key(pem, None), password)


@cache
def public_pem(pem: bytes) -> bytes:
    key = load_pem_private_key(pem, None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def pem_of(label: str, der: bytes) -> bytes:
    """Wrap DER into PEM without looking at it."""
    text = urlsafe_b64encode(der).decode().translate(str.maketrans("-_", "+/"))
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def rsa_public_pem(modulus: int, exponent: int) -> bytes:
    """Write the PEM of an RSA public key that no library would make (RFC 8017 §A.1.1, RFC 5280 §4.1)."""
    key = _der(0x30, _der_integer(modulus) + _der_integer(exponent))
    rsa_encryption = _der(0x30, bytes.fromhex("06092a864886f70d010101") + b"\x05\x00")
    return pem_of("PUBLIC KEY", _der(0x30, rsa_encryption + _der(0x03, b"\x00" + key)))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([size]) if size < 0x80 else bytes([0x80 | len(length)]) + length) + content


def _der_integer(number: int) -> bytes:
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _bytes(value) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)

"""Clients: which one sends a request (RFC 6749 §2.3 and §3.2.1). All are public: none has a secret."""

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from asgi_login.oauth.answers import OAuthError
from asgi_login.scope import Scope, header_values
from asgi_login.tokens import is_text
from asgi_login.transports import decode_basic


def client_id_of(scope: Scope, form: Mapping[str, str]) -> str | None:
    """Return what a client says that it is called, or None if it does not say.

    A client that has no secret may send an empty one (RFC 6749 §2.3.1), in the form or as HTTP Basic; the Authorize
    button of Swagger UI sends Basic without a name too. Other Authorization headers are not looked at: a browser or an
    HTTP client adds its expired access token by itself.

    Raises:
        OAuthError: `invalid_client`: it has a secret. `invalid_request`: it is called two things.
    """
    basic = [line for line in header_values(scope, b"authorization") if line[:6].lower() == b"basic "]
    named = _basic_name(basic) if basic else ""
    if "client_secret" in form:
        raise OAuthError("invalid_client", "clients have no secrets here: leave client_secret out")
    client_id = form.get("client_id")
    if named:
        if client_id not in {None, named}:
            raise OAuthError("invalid_request", "client_id is not the name in the Authorization header")
        client_id = named
    # RFC 6749 appendix A.1: visible ASCII. In JSON, any other letter would be up to twelve times as long.
    if client_id is not None and not (is_text(client_id) and client_id.isascii()):
        raise OAuthError("invalid_request", "client_id is longer than 255 characters, or not visible ASCII")
    return client_id


def _basic_name(lines: list[bytes]) -> str:
    """Return the name of a client that sends HTTP Basic without a secret; it may be empty."""
    try:
        (line,) = lines
        user, colon, secret = decode_basic(line).partition(b":")
        # RFC 6749 §2.3.1: both are encoded as in a form before Basic encodes them.
        name = unquote_to_bytes(user.replace(b"+", b" ")).decode()
    except ValueError:
        user, colon, secret, name = b"", b"", b"", ""
    if not colon or secret:
        # RFC 6749 §5.2: 401, with the scheme that the client has used.
        raise OAuthError(
            "invalid_client",
            "clients have no secrets here: send client_id in the form, and no HTTP Basic",
            status=401,
            headers=[(b"www-authenticate", b'Basic realm="clients have no secrets"')],
        )
    return name

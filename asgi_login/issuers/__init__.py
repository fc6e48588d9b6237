"""Other people's keys: those by which an identity provider signs its tokens, fetched and kept up to date.

Read `key_source` first: it decides, without input or output, when keys count and when they are fetched. `issuer` is
what an application names; it puts the others together. `provider` fetches the keys of one issuer: `discovery` finds out
where they are, and `fetch` gets a document within bounds, of which `asgi_login.jwks` makes keys. `flight` sees to it
that one fetch is under way at a time.
"""

try:
    from asgi_login.issuers.issuer import Issuer
except ModuleNotFoundError as _missing:
    if (_missing.name or "").partition(".")[0] != "httpx":
        raise
    raise ImportError('asgi_login.issuers needs httpx 0.27 or later: pip install "asgi-login[issuers]"') from _missing

__all__ = ["Issuer"]

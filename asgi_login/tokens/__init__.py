"""TokenCodec: the keys that sign them, what they may claim, and how they are issued and verified.

Read `verified` first, which is what comes out; then `codec`, which issues and verifies. It builds on the others:
`keys` (with `key_material`, `key_forms` and `keyset`), `claims`, `cache`, `strict_json` and `base64url`.
"""

from asgi_login.tokens.base64url import encode
from asgi_login.tokens.claims import check_scope_names, claim_rules, is_text
from asgi_login.tokens.codec import (
    ACCESS,
    ACCESS_ONLY,
    REFRESH,
    REMEMBER,
    SESSION,
    TokenCodec,
    UnacceptableTokenError,
    peek_expiry,
)
from asgi_login.tokens.keys import Key
from asgi_login.tokens.keyset import KeySet, Secret
from asgi_login.tokens.verified import Claims, InvalidClaims, SessionMemo, VerifiedToken, check_times

__all__ = [
    "ACCESS",
    "ACCESS_ONLY",
    "REFRESH",
    "REMEMBER",
    "SESSION",
    "Claims",
    "InvalidClaims",
    "Key",
    "KeySet",
    "Secret",
    "SessionMemo",
    "TokenCodec",
    "UnacceptableTokenError",
    "VerifiedToken",
    "check_scope_names",
    "check_times",
    "claim_rules",
    "encode",
    "is_text",
    "peek_expiry",
]

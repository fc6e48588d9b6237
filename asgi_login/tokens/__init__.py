"""TokenCodec: the keys that sign them, what they may claim, and how they are issued and verified.

Read `verified` first, which is what comes out; then `codec`, which issues and verifies. It builds on the others:
`keys` (with `key_material`, `key_forms`, `pem` and `keyset`), `parts`, `claims`, `cache`, `strict_json` and
`base64url`. `unverified` reads what a token says without a key.
`foreign_codec` also verifies tokens of other issuers, with `foreign_rules` for their claims and `foreign_keys` for
their keys.
"""

from asgi_login.tokens.base64url import encode
from asgi_login.tokens.cache import Cache
from asgi_login.tokens.claims import MAX_NUMERIC_DATE, check_scope_names, claim_rules, is_text
from asgi_login.tokens.codec import (
    ACCESS,
    ACCESS_ONLY,
    REFRESH,
    REMEMBER,
    SESSION,
    TokenCodec,
    UnacceptableTokenError,
)
from asgi_login.tokens.foreign_codec import codec_for
from asgi_login.tokens.foreign_keys import ForeignKey, ForeignKeys, UnknownKey
from asgi_login.tokens.foreign_rules import ForeignRules, refuse_id_tokens, rules_of_issuer
from asgi_login.tokens.keys import Key
from asgi_login.tokens.keyset import KeySet, Secret
from asgi_login.tokens.parts import MAX_TOKEN_BYTES
from asgi_login.tokens.pem import algorithm_of_pem, generate_pem, public_pem
from asgi_login.tokens.strict_json import InvalidJSON, parse_object, thawed
from asgi_login.tokens.unverified import UnverifiedToken, peek_expiry
from asgi_login.tokens.verified import Claims, InvalidClaims, SessionMemo, VerifiedToken, check_times

__all__ = [
    "ACCESS",
    "ACCESS_ONLY",
    "MAX_NUMERIC_DATE",
    "MAX_TOKEN_BYTES",
    "REFRESH",
    "REMEMBER",
    "SESSION",
    "Cache",
    "Claims",
    "ForeignKey",
    "ForeignKeys",
    "ForeignRules",
    "InvalidClaims",
    "InvalidJSON",
    "Key",
    "KeySet",
    "Secret",
    "SessionMemo",
    "TokenCodec",
    "UnacceptableTokenError",
    "UnknownKey",
    "UnverifiedToken",
    "VerifiedToken",
    "algorithm_of_pem",
    "check_scope_names",
    "check_times",
    "claim_rules",
    "codec_for",
    "encode",
    "generate_pem",
    "is_text",
    "parse_object",
    "peek_expiry",
    "public_pem",
    "refuse_id_tokens",
    "rules_of_issuer",
    "thawed",
]

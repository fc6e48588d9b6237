"""Why a request is refused, by a closed list of codes, for logs, metrics and audits; clients are told less."""

from typing import Literal, TypeAlias

Reason: TypeAlias = Literal[
    "no_credential",
    "malformed_request",
    "malformed_token",
    "bad_claim",
    "unknown_key",
    "wrong_algorithm",
    "wrong_signature",
    "wrong_type",
    "wrong_issuer",
    "wrong_audience",
    "wrong_manager",
    "wrong_client",
    "wrong_password",
    "not_yet_valid",
    "expired",
    "ended",
    "reused",
    "stamp_changed",
    "unknown_user",
    "unknown_credential",
    "invalid_token",
    "not_fresh",
    "missing_scope",
    "not_permitted",
    "cross_origin",
    "unavailable",
    "refused",
]
"""Why a request was refused; docs/how-to/observe.md says what each means."""

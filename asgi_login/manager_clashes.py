"""Refuses managers that serve one application and accept each other's tokens.

Otherwise a customer's token would open the admin pages, because both managers have the same key.
"""

from collections.abc import Sequence

from asgi_login.config import Config


def check_managers(configs: Sequence[Config]) -> None:
    """Check the managers of one middleware, at construction.

    Raises:
        ValueError: There is none, or two have the same name or would accept each other's tokens.
    """
    if not configs:
        raise ValueError("AuthMiddleware needs at least one LoginManager")
    names = [config.name for config in configs]
    if len(set(names)) < len(names):
        raise ValueError(f"two managers have the same name ({', '.join(names)}): pass name= to tell them apart")
    for i, one in enumerate(configs):
        for other in configs[i + 1 :]:
            if _accept_each_others_tokens(one, other):
                raise ValueError(_clash(one, other))


def check_newcomer(known: Sequence[Config], newcomer: Config) -> None:
    """Check a manager against those that it meets at its first request: in nested middlewares, or in FastAPI.

    They do not know of each other before.

    Raises:
        RuntimeError: It and one of the others would accept each other's tokens.
    """
    for one in known:
        if one.loader is not newcomer.loader and _accept_each_others_tokens(one, newcomer):
            raise RuntimeError(_clash(one, newcomer))


def _clash(one: Config, other: Config) -> str:
    return (
        f"the managers {one.name!r} and {other.name!r} share a key, so that a token of one would log its user into the "
        "other: give them different keys, or each an issuer= or audience= of its own"
    )


def _accept_each_others_tokens(one: Config, other: Config) -> bool:
    a, b = one.tokens, other.tokens
    if {key.thumbprint for key in a.keys}.isdisjoint(key.thumbprint for key in b.keys):
        return False
    # Without an issuer of its own a manager takes tokens of any; without an audience it takes none that has one.
    issuers_differ = a.rules.issuer is not None and b.rules.issuer is not None and a.rules.issuer != b.rules.issuer
    audiences_differ = a.rules.audience != b.rules.audience and not (a.rules.any_audience or b.rules.any_audience)
    return not (issuers_differ or audiences_differ)

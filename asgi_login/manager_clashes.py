"""Refuses managers that serve one application and accept each other's tokens.

Otherwise a customer's token would open the admin pages, because both managers have the same key.
"""

from collections.abc import Callable, Sequence

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
    a, b = one.tokens.rules, other.tokens.rules
    # Without an audience a manager takes no token that has one.
    audiences_differ = a.audiences.isdisjoint(b.audiences) and (a.audiences or b.audiences)
    if audiences_differ and not (a.any_audience or b.any_audience):
        return False
    # An Issuer is one in both. Without an issuer of its own a manager takes tokens of any.
    return _share(one, other, lambda config: {issuer.url for issuer in config.tokens.keys.foreign}) or (
        _share(one, other, lambda config: {key.thumbprint for key in config.tokens.keys})
        and not (a.issuers and b.issuers and a.issuers.isdisjoint(b.issuers))
    )


def _share(one: Config, other: Config, what: Callable[[Config], set[str]]) -> bool:
    return not what(one).isdisjoint(what(other))

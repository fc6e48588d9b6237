"""Tokens as a manager has them once they are verified, as far as their end is concerned."""

from dataclasses import dataclass, field
from itertools import count

_NUMBERS = count()


@dataclass
class Token:
    sub: str = "ada"
    iat: float | None = None
    exp: float = 4e9
    claims: dict = field(default_factory=dict)
    good_since: float = 0.0


def token(iat, *, sub="ada", exp=4e9, **claims):
    """Return a token with a `jti` of its own, unless the claims say otherwise."""
    made = {"jti": f"jti-{next(_NUMBERS)}", **claims}
    return Token(sub, iat, exp, {name: value for name, value in made.items() if value is not None})

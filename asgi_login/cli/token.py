"""`token`: mints an access token for development."""

import json
import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from asgi_login.cli.key_input import WHY_NO_ARGUMENT, add_key_options, ask_for_secret, read_key
from asgi_login.cli.terminal import CommandError, RefusedError, remark, say
from asgi_login.cli.times import duration, length
from asgi_login.manager import LoginManager

_CLAIM: Final = re.compile(r"([^=:]+)(:?=)(.*)", re.DOTALL)
# What has an option of its own, or is written anew into each token.
_NOT_HERE: Final = {
    "sub": "it is the first argument",
    "scope": "use --scope",
    "scopes": "use --scope",
    "iss": "use --issuer",
    "aud": "use --audience",
    "exp": "use --expires",
    "iat": "it is always the time of now",
    "jti": "it is always a new one",
}


def configure_token(parser: ArgumentParser) -> None:
    """Add the arguments of `token`."""
    parser.add_argument("sub", metavar="SUB", help="whose token: what the user loader finds the user by")
    # For a better answer than "unrecognized arguments".
    parser.add_argument("key", nargs="?", help=SUPPRESS)
    parser.add_argument(
        "--scope", metavar="SCOPE", action="append", default=[], help="a scope that it grants; may be repeated"
    )
    parser.add_argument(
        "--expires",
        metavar="TIME",
        type=duration,
        default=timedelta(minutes=15),
        help="90s, 15m (the default), 8h, 30d",
    )
    parser.add_argument("--issuer", metavar="ISS", help="the issuer=, if the application has one")
    parser.add_argument("--audience", metavar="AUD", help="the audience=, if the application has one")
    parser.add_argument(
        "--claim",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=_claim,
        help="another claim; NAME:=JSON for what is no text, like level:=3; may be repeated",
    )
    add_key_options(parser)
    parser.epilog = f"Without an option for the key, you are asked for the secret. {WHY_NO_ARGUMENT}"


def token(args: Namespace, clock: Callable[[], float]) -> None:
    """Print a token alone on standard output, for `$(...)`, and what it is on standard error.

    Raises:
        CommandError: A claim would be refused on reading, or there is a second argument.
        RefusedError: The key cannot sign.
    """
    if args.key is not None:
        raise CommandError(
            "a key is not passed as an argument, which others see in ps: "
            "pass --key-env or --key-file, or type it when asked"
        )
    key = read_key(args) or ask_for_secret(args)
    if not key.can_sign:
        raise RefusedError("this is a public key, which only verifies: a token is signed with the private one")
    scopes = " ".join(args.scope).split()
    try:
        manager = LoginManager[Any](key, issuer=args.issuer, audience=args.audience, sessions=None, clock=clock)
        minted = manager.create_access_token(
            data={"sub": args.sub, **dict(args.claim)}, expires=args.expires, scopes=scopes
        )
    except (TypeError, ValueError) as problem:
        raise CommandError(str(problem)) from None
    say(minted)
    granted = f"with {' '.join(scopes)}" if scopes else "without scopes"
    remark(f"a token for {args.sub}, {granted}, for {length(args.expires.total_seconds())}, signed by {key.kid}")


def _claim(text: str) -> tuple[str, object]:
    """Parse NAME=VALUE or NAME:=JSON, for argparse."""
    found = _CLAIM.fullmatch(text)
    if found is None:
        raise ArgumentTypeError("NAME=VALUE is needed, or NAME:=JSON for what is no text")
    name, sign, value = found.groups()
    if name in _NOT_HERE:
        raise ArgumentTypeError(f"{name} is set in another way: {_NOT_HERE[name]}")
    if sign == "=":
        return name, value
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        raise ArgumentTypeError(f"{name} is no JSON; for a text, write {name}=...") from None

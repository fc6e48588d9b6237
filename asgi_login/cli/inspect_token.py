"""`inspect`: what a token says, and whether it is valid or why not."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from asgi_login.cli.key_input import WHY_NO_ARGUMENT, add_key_options, read_key
from asgi_login.cli.terminal import CommandError, RefusedError, read_file, read_input, remark, say
from asgi_login.cli.times import describe
from asgi_login.errors import InvalidToken
from asgi_login.jwks import ALGORITHMS, read_set
from asgi_login.manager import LoginManager
from asgi_login.tokens import (
    ACCESS,
    MAX_TOKEN_BYTES,
    REFRESH,
    REMEMBER,
    SESSION,
    InvalidClaims,
    Key,
    UnverifiedToken,
    claim_rules,
    parse_object,
    refuse_id_tokens,
    thawed,
)

_KINDS: Final = {
    ACCESS: "an access token",
    SESSION: "a session",
    REMEMBER: "a remember token",
    REFRESH: "a refresh token",
}
# With room for white space around a token, of which one that is too long is still told.
_MAX_INPUT: Final = MAX_TOKEN_BYTES + 1_024
_WIDTH: Final = len("auth_time")
# Members that hold keys (RFC 7515 §4.1.3, §4.1.6, RFC 7800 §3.2).
_KEYS: Final = frozenset({"jwk", "x5c", "cnf"})
_NOT_SHOWN: Final = "(a key, which is not shown)"


def configure_inspect(parser: ArgumentParser) -> None:
    """Add the arguments of `inspect`."""
    parser.add_argument(
        "source", metavar="-", nargs="?", help="standard input, which is read anyway unless it is a terminal"
    )
    parser.add_argument("--issuer", metavar="ISS", help="the issuer= of the application; without it, any is accepted")
    parser.add_argument(
        "--audience", metavar="AUD", help="the audience= of the application; without it, any is accepted"
    )
    add_key_options(parser, jwks=True)
    parser.epilog = (
        "The token comes from standard input, or you are asked for it. The exit code is 1 for a token that is not "
        "valid. Without a key the signature is not checked, and 0 means only that nothing else is wrong. "
        + WHY_NO_ARGUMENT
    )


def inspect(args: Namespace, clock: Callable[[], float]) -> bool:
    """Say what a token says. Return whether it is valid, or without a key, whether it could be.

    Raises:
        CommandError: There is no token, or no key where one should be.
    """
    if args.source not in (None, "-"):
        raise CommandError(
            "a token is not passed as an argument, which others see in ps: pipe it in, or paste it when asked"
        )
    keys = _keys(args)
    token = read_input(_MAX_INPUT, question="Token" if args.source is None else None)
    if not token:
        raise CommandError("there is no token on standard input")
    now = clock()
    try:
        unverified = UnverifiedToken.of(token)
    except InvalidToken as error:
        say(f"not valid: {error.log_text}")
        return False
    _show("header", unverified.header, now)
    _show("claims", unverified.claims, now)
    try:
        return _judge(args, keys, token, unverified, now)
    except InvalidToken as error:
        if keys:
            say("keys: " + ", ".join(f"{key.kid} ({key.algorithm})" for key in keys))
        # In the words that the log of the application has.
        say(f"not valid: {error.log_text}")
        return False


def _judge(args: Namespace, keys: list[Key], token: bytes, unverified: UnverifiedToken, now: float) -> bool:
    any_audience = args.audience is None
    try:
        if not keys:
            rules = claim_rules(args.issuer, args.audience, timedelta(0), insecure_any_audience=any_audience)
            unverified.refute(rules, now)
            say("not verified: without a key, nobody knows who has made this; pass --key-env, --key-file or --jwks")
            return True
        manager = LoginManager[Any](
            keys,
            issuer=args.issuer,
            audience=args.audience,
            insecure_any_audience=any_audience,
            sessions=None,
            clock=lambda: now,
        )
    except ValueError as problem:
        raise CommandError(str(problem)) from None
    verified = manager.config.tokens.verify(token, frozenset(_KINDS))
    if args.jwks is not None and verified.kind == ACCESS:
        # A set may be an issuer's, which signs both kinds with the same keys.
        try:
            refuse_id_tokens(verified.claims)
        except InvalidClaims as problem:
            raise problem.refusal() from None
    if any_audience and "aud" in verified.claims:
        say("not checked: whether aud is the audience of the application; pass --audience")
    if verified.kind != ACCESS:
        say("not checked: what only the application knows of a login, such as whether it was ended")
    say(f"valid: {_KINDS[verified.kind]}, signed by the key {verified.kid}")
    return True


def _keys(args: Namespace) -> list[Key]:
    if args.jwks is None:
        key = read_key(args)
        if key is not None:
            return [key]
        if not (args.kid is args.algorithm is args.password_file is None):
            raise CommandError(
                "--kid, --algorithm and --password-file say something of a key, and there is none: "
                "pass --key-env, --key-file or --key-prompt as well"
            )
        return []
    if args.kid is not None or args.password_file is not None:
        raise CommandError("--kid and --password-file are for one key, and --jwks is a set of them")
    algorithms = ALGORITHMS if args.algorithm is None else (args.algorithm,)
    if not set(algorithms) <= set(ALGORITHMS):
        raise CommandError(f"--algorithm: the keys of a set are for {', '.join(ALGORITHMS)}")
    try:
        keys, left_out = read_set(parse_object(read_file(args.jwks)), algorithms)
    except ValueError as problem:
        raise RefusedError(f"{args.jwks}: {problem}") from None
    remark(*(f"{args.jwks}: left out: {reason}" for reason in left_out))
    return list(keys.values())


def _show(title: str, members: Mapping[str, object], now: float) -> None:
    say(title)
    for name, value in members.items():
        label = name if name.isidentifier() and name.isascii() else _as_json(name)
        shown = _NOT_SHOWN if name in _KEYS else _as_json(_without_keys(value))
        meaning = describe(name, value, now)
        say(f"  {label:{_WIDTH}}  {shown}" + (f"  ({meaning})" if meaning else ""))


def _without_keys(value: object) -> object:
    """Return a value in which no member at any depth holds a key."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return {name: _NOT_SHOWN if name in _KEYS else _without_keys(one) for name, one in members.items()}
    if isinstance(value, (tuple, list)):
        return [_without_keys(one) for one in cast("Sequence[object]", value)]
    return value


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=thawed)

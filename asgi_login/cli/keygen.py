"""`secret` and `keygen`: what an application signs with."""

import json
import os
import secrets
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Final

from asgi_login.cli.key_input import WHY_NO_ARGUMENT, read_password
from asgi_login.cli.terminal import CommandError, ask, create_file, existing, say
from asgi_login.tokens import Key, generate_pem, public_pem

# 384 random bits, as 64 characters: long enough for HS512, too (RFC 7518 §3.2).
_SECRET_BYTES: Final = 48
_OWNER_ONLY: Final = 0o600
_READABLE: Final = 0o644


def configure_secret(parser: ArgumentParser) -> None:
    """Add the arguments of `secret`: there are none."""
    parser.epilog = "Put it into the environment: export SECRET=$(asgi-login secret)"


def secret(_args: Namespace, _clock: Callable[[], float]) -> None:
    """Print a new secret."""
    say(secrets.token_urlsafe(_SECRET_BYTES))


def configure_keygen(parser: ArgumentParser) -> None:
    """Add the arguments of `keygen`."""
    parser.add_argument("file", metavar="FILE", help="where the private key goes, like key.pem; it must not exist yet")
    parser.add_argument("--algorithm", choices=["RS256", "ES256", "EdDSA"], default="ES256", help="by default ES256")
    parser.add_argument("--public", action="store_true", help="also write the public key beside it, to NAME.pub.pem")
    passwords = parser.add_mutually_exclusive_group()
    passwords.add_argument(
        "--password-file", metavar="FILE", help="the file that holds the password; without it, you are asked"
    )
    passwords.add_argument("--no-password", action="store_true", help="do not encrypt the key")
    parser.epilog = WHY_NO_ARGUMENT


def keygen(args: Namespace, _clock: Callable[[], float]) -> None:
    """Write a new private key to a file, and say what the application does with it.

    Raises:
        CommandError: A file exists already or cannot be written, or there is no password.
    """
    private = Path(args.file)
    public: Path | None = None
    if os.path.lexists(private):
        raise existing(private)
    if args.public:
        public = private.with_name(f"{private.stem}.pub.pem")
        if os.path.lexists(public):
            raise existing(public)
    password = _password(args)
    pem = generate_pem(args.algorithm, password)
    key = Key(pem, args.algorithm, password=password)
    create_file(private, pem, mode=_OWNER_ONLY)
    if public is not None and key.public_key is not None:
        try:
            create_file(public, public_pem(key.public_key), mode=_READABLE)
        except CommandError:
            # Both or none: a second run would be refused because of the first.
            private.unlink()
            raise
    _explain(key, private, public, is_encrypted=password is not None)


def _password(args: Namespace) -> bytes | None:
    if args.no_password:
        return None
    if args.password_file is not None:
        return read_password(args.password_file)
    password = ask("Password for the key")
    if not password:
        raise CommandError("an empty password protects nothing: pass --no-password for a key without one")
    if ask("The same again") != password:
        raise CommandError("the two passwords differ, and no key was written")
    return password


def _explain(key: Key, private: Path, public: Path | None, *, is_encrypted: bool) -> None:
    password = ', password=os.environ["KEY_PASSWORD"]' if is_encrypted else ""
    say(
        f"{private} is a private key for {key.algorithm}, "
        + ("encrypted with the password; only you can read the file" if is_encrypted else "which only you can read"),
        f"its kid is {key.kid}",
        f"the application signs with {_load(private, key, password)}",
    )
    if public is not None:
        say(
            f"{public} is its public key, for services that only verify",
            f"they verify with {_load(public, key)}",
        )


def _load(path: Path, key: Key, password: str = "") -> str:
    """Return the Python that loads a key."""
    return f'Key(Path({json.dumps(str(path), ensure_ascii=False)}).read_bytes(), "{key.algorithm}"{password})'

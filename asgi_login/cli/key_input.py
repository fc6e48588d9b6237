"""The key that a command works with: from the environment, a file or a prompt.

Never from an argument: every user of the machine sees the arguments of a process (`ps`), and the shell keeps them in
its history. A password is no argument either.
"""

import os
from argparse import ArgumentParser, Namespace
from typing import Final

from asgi_login.cli.terminal import CommandError, RefusedError, ask, read_file
from asgi_login.jwks import ALGORITHMS
from asgi_login.tokens import Key, algorithm_of_pem

WHY_NO_ARGUMENT = (
    "A key or a password is never an argument: other users see arguments in ps, and the shell keeps them in its "
    "history."
)

_PASSWORD_FILE: Final = "the file of --password-file"  # noqa: S105 - its name
_MAX_PASSWORD: Final = 1_023


def add_key_options(parser: ArgumentParser, *, jwks: bool = False) -> None:
    """Add the options that say where the key is; with `jwks`, it may also be a set of public keys."""
    sources = parser.add_mutually_exclusive_group()
    sources.add_argument("--key-env", metavar="NAME", help="the environment variable that holds the secret or PEM")
    sources.add_argument("--key-file", metavar="FILE", help="the file that holds the secret or PEM")
    sources.add_argument("--key-prompt", action="store_true", help="ask for the secret on the terminal")
    if jwks:
        sources.add_argument("--jwks", metavar="FILE", help="the file that holds a JSON Web Key Set")
    parser.add_argument("--kid", help="the kid, if the application gives its key one")
    add_pem_options(parser)


def add_pem_options(parser: ArgumentParser) -> None:
    """Add the options that say what a key is for, and that open an encrypted one."""
    parser.add_argument(
        "--algorithm",
        metavar="ALG",
        choices=("HS256", "HS384", "HS512", *ALGORITHMS),
        help="by default HS256 for a secret, and for a PEM RS256, ES256, ES384 or EdDSA",
    )
    parser.add_argument(
        "--password-file", metavar="FILE", help="the file that holds the password of the PEM; without it, you are asked"
    )


def read_key(args: Namespace) -> Key | None:
    """Return the key that the options name, or None if they name none.

    Raises:
        CommandError: It cannot be read.
        RefusedError: It is no usable key.
    """
    if args.key_env is not None:
        found = os.environ.get(args.key_env)
        if found is None:
            # Not quoted: `--key-env "$SECRET"` is an easy slip.
            raise CommandError(
                "--key-env takes the name of an environment variable, like SECRET, and this one is not set"
            )
        return _to_key(found.encode("utf-8", "surrogateescape"), args.key_env, args, kid=args.kid)
    if args.key_file is not None:
        return read_key_file(args.key_file, args, kid=args.kid, called="the file of --key-file")
    return ask_for_secret(args) if args.key_prompt else None


def ask_for_secret(args: Namespace) -> Key:
    """Return the key whose secret is typed at the terminal; raise as `read_key` does."""
    return _to_key(ask("Secret"), "the secret", args, kid=args.kid)


def read_key_file(path: str, args: Namespace, *, kid: str | None = None, called: str | None = None) -> Key:
    """Return the key in a file, which errors call by its path or as it is `called`; raise as `read_key` does."""
    called = called or path
    # An editor and `echo` end the line, and the secret is what stands on it.
    return _to_key(read_file(path, called).removesuffix(b"\n").removesuffix(b"\r"), called, args, kid=kid)


def read_password(path: str) -> bytes:
    """Return the password in a file, without the line break at its end.

    Raises:
        CommandError: The file cannot be read, is empty, or holds more than a password can have.
    """
    # `--password-file "$PASSWORD"` is an easy slip, so that the path is not shown.
    password = read_file(path, _PASSWORD_FILE).removesuffix(b"\n").removesuffix(b"\r")
    if not password:
        raise CommandError(f"{_PASSWORD_FILE} is empty, and an empty password protects nothing")
    if len(password) > _MAX_PASSWORD:
        raise CommandError(f"{_PASSWORD_FILE} holds more than {_MAX_PASSWORD:,} bytes, and OpenSSL takes no more")
    return password


def _to_key(material: bytes, where: str, args: Namespace, *, kid: str | None) -> Key:
    password: bytes | None = None
    if args.password_file is not None:
        password = read_password(args.password_file)
    elif b"ENCRYPTED" in material and b"-----BEGIN " in material:
        password = ask(f"Password of {where}")
    algorithm: str | None = args.algorithm
    try:
        if algorithm is None:
            algorithm = algorithm_of_pem(material, password) if b"-----BEGIN " in material else "HS256"
        return Key(material, algorithm, password=password, kid=kid)
    except ValueError as problem:
        raise RefusedError(f"{where}: {problem}") from None

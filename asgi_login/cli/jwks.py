"""`jwks`: the public halves of keys, for others to verify with (RFC 7517 §5)."""

import json
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable

from asgi_login.cli.key_input import WHY_NO_ARGUMENT, add_pem_options, read_key_file
from asgi_login.cli.terminal import RefusedError, say


def configure_jwks(parser: ArgumentParser) -> None:
    """Add the arguments of `jwks`."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="a PEM, private or public")
    add_pem_options(parser)
    parser.epilog = WHY_NO_ARGUMENT


def jwks(args: Namespace, _clock: Callable[[], float]) -> None:
    """Print the JSON Web Key Set of the keys in files: nothing but their public halves.

    Raises:
        RefusedError: One is a secret or no key, or the same key is in two files.
    """
    keys = [read_key_file(path, args) for path in args.files]
    for path, key in zip(args.files, keys, strict=True):
        if key.jwk is None:
            raise RefusedError(
                f"{path} holds a secret, which is never published: whoever verifies with it can also sign; "
                "make a key that has a public half with: asgi-login keygen key.pem"
            )
    kid, times = Counter(key.kid for key in keys).most_common(1)[0]
    if times > 1:
        raise RefusedError(f"two files hold the same key, {kid}")
    say(*json.dumps({"keys": [key.jwk for key in keys]}, indent=2).splitlines())

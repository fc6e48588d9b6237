"""Finds the command, runs it, and turns what it raises into a sentence and an exit code.

| exit code | meaning                                                                        |
|-----------|--------------------------------------------------------------------------------|
| 0         | done; a token that `inspect` was given a key for is valid                      |
| 1         | no: the token is not valid, or the key does not fit                            |
| 2         | it cannot be done as it was asked for: an argument, a file, a missing terminal |
| 130       | interrupted                                                                    |
"""

import os
import re
import sys
import time
from argparse import Action, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final, NamedTuple, NoReturn

from asgi_login.cli.inspect_token import configure_inspect, inspect
from asgi_login.cli.jwks import configure_jwks, jwks
from asgi_login.cli.keygen import configure_keygen, configure_secret, keygen, secret
from asgi_login.cli.terminal import CommandError, RefusedError, remark, say
from asgi_login.cli.token import configure_token, token

_INTERRUPTED: Final = 130
# Where argparse goes on to quote what it was given, which may be a key that somebody has put there.
_QUOTATION: Final = re.compile(
    r"(unrecognized arguments|invalid choice|ignored explicit argument|invalid \w+ value)\b.*", re.DOTALL
)


class _Parser(ArgumentParser):
    """A parser whose errors are one sentence that quotes nothing."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(_QUOTATION.sub(r"\1", message) + f"; see {self.prog} --help")


class _Version(Action):
    """Prints the version of the package that is installed."""

    def __call__(self, parser: ArgumentParser, *_: object) -> None:
        say(f"asgi-login {version('asgi-login')}")
        parser.exit()


class _Command(NamedTuple):
    does: str
    configure: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Callable[[], float]], bool | None]


_COMMANDS: Final = {
    "secret": _Command("print a new random secret for LoginManager", configure_secret, secret),
    "keygen": _Command("write a new private key to a file that only you can read", configure_keygen, keygen),
    "token": _Command("mint an access token for development", configure_token, token),
    "inspect": _Command("say what a token says, and whether it is valid", configure_inspect, inspect),
    "jwks": _Command("print the JSON Web Key Set of key files", configure_jwks, jwks),
}


def main(argv: Sequence[str] | None = None, *, clock: Callable[[], float] = time.time) -> int:
    """Run a command and return its exit code.

    Args:
        argv: The arguments; None for those of the process.
        clock: Returns the time in seconds since the epoch.
    """
    try:
        args = _parser().parse_args(argv)
        is_fine = _COMMANDS[args.command].run(args, clock)
    except CommandError as problem:
        remark(f"asgi-login: {problem}")
        return problem.code
    except KeyboardInterrupt:
        remark("")
        return _INTERRUPTED
    except OSError as problem:
        # Of standard output. It may be that whoever reads has gone, like `head`: that is no error to tell anybody.
        if not isinstance(problem, BrokenPipeError):
            remark(f"asgi-login: cannot write to standard output: {problem.strerror}")
        # Python would say so once more when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CommandError.code
    return RefusedError.code if is_fine is False else 0


def _parser() -> ArgumentParser:
    parser = _Parser(prog="asgi-login", description="Keys and tokens for asgi-login.", allow_abbrev=False)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in _COMMANDS.items():
        description = f"{command.does[0].upper()}{command.does[1:]}."
        command.configure(commands.add_parser(name, help=command.does, description=description, allow_abbrev=False))
    return parser

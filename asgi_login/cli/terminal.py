"""Standard input, output and the terminal: bounded input, hidden answers, and lines that cannot control a terminal."""

import getpass
import os
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TextIO

# More than any key; a JSON Web Key Set of an issuer has the same bound.
MAX_FILE_BYTES: Final = 65_536
# What Linux passes on of a line that is typed or pasted; others have less.
_MAX_LINE: Final = 4_095


class CommandError(Exception):
    """A command cannot do what it was asked for. The message is a sentence, without any secret in it."""

    code = 2


class RefusedError(CommandError):
    """The answer is no: a key that does not fit, a token that is not valid."""

    code = 1


def say(*lines: str) -> None:
    """Write lines to standard output.

    What is not printable is escaped. So a claim can neither move the cursor and change the title of the terminal
    (CWE-150), nor turn the direction of the text around it.

    Raises:
        CommandError: Standard output is closed.
    """
    if sys.stdout is None:
        raise CommandError("standard output is closed, and the result would be lost")
    _write(lines, sys.stdout)


def remark(*lines: str) -> None:
    """Write lines for people to standard error, so that standard output holds nothing but the result."""
    # None where it is closed: then nobody wants to know.
    if sys.stderr is not None:
        _write(lines, sys.stderr)


def _write(lines: Iterable[str], stream: TextIO) -> None:
    encoding = stream.encoding or "ascii"
    stream.writelines(_escaped(line).encode(encoding, "backslashreplace").decode(encoding) + "\n" for line in lines)
    stream.flush()


def _escaped(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)


def ask(question: str) -> bytes:
    """Return what somebody types at the terminal, which does not show it, as UTF-8.

    Raises:
        CommandError: There is no terminal, it cuts off what was typed, or that is no text.
    """
    try:
        with warnings.catch_warnings():
            # Without a terminal, getpass would read standard input and show it.
            warnings.simplefilter("error", getpass.GetPassWarning)
            answer = getpass.getpass(f"{_escaped(question)}: ").encode("utf-8", "surrogateescape")
    except UnicodeDecodeError:
        raise CommandError("what was typed is not text in UTF-8") from None
    except (getpass.GetPassWarning, EOFError):
        raise CommandError("there is no terminal on which you could be asked; --help names other ways") from None
    if len(answer) >= _MAX_LINE:
        raise CommandError(f"a terminal passes on {_MAX_LINE:,} characters of a line, and the rest is lost: use a pipe")
    return answer


def read_input(limit: int, *, question: str | None) -> bytes:
    """Return standard input, without white space around it.

    Args:
        limit: How many bytes are read at most.
        question: What is asked where standard input is a terminal; None to read it all the same.

    Raises:
        CommandError: There is no terminal after all, or standard input is closed or cannot be read.
    """
    if sys.stdin is None:
        raise CommandError("standard input is closed: pipe in what is to be read")
    if question is not None and sys.stdin.isatty():
        return ask(question).strip()
    try:
        return sys.stdin.buffer.read(limit).strip()
    except OSError as problem:
        raise CommandError(f"cannot read standard input: {_reason(problem)}") from None


def read_file(path: str, called: str | None = None) -> bytes:
    """Return the content of a file.

    Args:
        path: Where it is.
        called: What an error calls it; None for its path. What is passed as a path may be the secret, by mistake.

    Raises:
        CommandError: It cannot be read, or has more than 65,536 bytes.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as problem:
        raise CommandError(f"cannot read {called or path}: {_reason(problem)}") from None
    if len(content) > MAX_FILE_BYTES:
        raise CommandError(f"{called or path} has more than {MAX_FILE_BYTES:,} bytes, and no key is that long")
    return content


def create_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write a new file. One that exists is never changed, and no link is followed.

    Raises:
        CommandError: It exists already, or cannot be written.
    """
    try:
        # The mode from the first moment on: there is no time at which others could open it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    except FileExistsError:
        raise existing(path) from None
    except (OSError, ValueError) as problem:
        raise CommandError(f"cannot write {path}: {_reason(problem)}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as problem:
        path.unlink(missing_ok=True)
        raise CommandError(f"cannot write {path}: {_reason(problem)}") from None


def existing(path: Path) -> CommandError:
    """Return the error of a file that is there already."""
    return CommandError(f"{path} exists already and is left as it is: name another file")


def _reason(problem: Exception) -> str:
    return (problem.strerror if isinstance(problem, OSError) else None) or str(problem)

"""The command: `python -m examples.demo`."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

MAX_PORT = 65_535


def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End the demo successfully: whoever sent the signal asked for it."""
    sys.exit(0)


def port(text: str) -> int:
    """Return the value of --port."""
    if not text.isascii() or not text.isdecimal() or int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {MAX_PORT}, not {text!r}")
    return int(text)


def main() -> None:
    """Read the arguments, and serve until a signal arrives."""
    # This comes first because importing the frameworks takes a moment, and Ctrl-C must end the demo cleanly even then.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="Five applications under one login.")
    parser.add_argument("--port", type=port, default=8000, help="0 takes any free one (default: %(default)s)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(__file__).parents[2] / ".demo",
        help="where the key and the users are kept (default: .demo in the project)",
    )
    parser.add_argument(
        "--redis",
        metavar="URL",
        help="the Redis that remembers who was logged out, for all demos that share it (default: this process does)",
    )
    arguments = parser.parse_args()

    from examples.demo.server import serve  # noqa: PLC0415 - after the signal handlers

    serve(arguments.port, arguments.folder, arguments.redis)


if __name__ == "__main__":
    main()

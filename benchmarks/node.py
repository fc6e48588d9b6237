"""fast-jwt on Node: a process that stays, so that its rounds are interleaved with ours."""

import shutil
import subprocess
from pathlib import Path
from typing import Self

from benchmarks.runner import Run

FOLDER = Path(__file__).with_name("fast_jwt")


class MissingError(Exception):
    """What is needed is not here; says what."""


class NodeVerifier:
    """Asks Node to verify a token that many times, and is told the seconds.

    Args:
        setting: Keys and tokens, as JSON.

    Raises:
        MissingError: There is no Node, or fast-jwt is not installed.
    """

    def __init__(self, setting: str) -> None:
        node = shutil.which("node")
        if node is None:
            raise MissingError("there is no node on this machine")
        if not (FOLDER / "node_modules" / "fast-jwt").exists():
            raise MissingError(f"fast-jwt is not installed: npm ci --prefix benchmarks/{FOLDER.name}")
        command = [node, str(FOLDER / "verify.mjs")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        if self._ask(setting) != "ready":
            raise RuntimeError("fast-jwt does not tell a good token from a forged one")

    def run_of(self, name: str) -> Run:
        """Return what times one of its verifiers."""
        # V8 compiles what is called often; 20,000 calls are far more than it waits for.
        self._ask(f"{name} 20000")
        return lambda calls: float(self._ask(f"{name} {calls}"))

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)

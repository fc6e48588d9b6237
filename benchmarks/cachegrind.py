"""Counts instructions with valgrind's cachegrind: unlike times, they are the same in every run."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.counted import FEW, MANY

_FOLDER = Path(__file__).parent
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


def missing() -> str | None:
    """Return a sentence that says why nothing can be counted, or None."""
    return None if shutil.which("valgrind") else "Instructions are not counted: there is no valgrind."


class Counts(NamedTuple):
    """The instructions of one call, by the names of the rows."""

    added: dict[str, float]
    """Of each row from which another is subtracted: the difference."""
    bare: dict[str, float]
    """Of each row that is subtracted from others."""


def count(rows: str, python: Path | None = None) -> Counts:
    """Count all rows of a set.

    Args:
        rows: Which, of those in `counted`.
        python: Another interpreter, whose environment has another build of the library.
    """
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder, "logs")
        logs.mkdir()
        processes: dict[str, tuple[str | None, int, int]] = json.loads(_output(rows, python, Path(folder), logs))
        found = {
            name: (_counted(logs / str(many)) - _counted(logs / str(few))) / (MANY - FEW)
            for name, (_, few, many) in processes.items()
        }
    bases = {name: base for name, (base, _, _) in processes.items()}
    added = {name: found[name] - found[base] for name, base in bases.items() if base is not None}
    return Counts(added, {name: found[name] for name, base in bases.items() if base is None})


def count_program(program: str, environment: Mapping[str, str]) -> int:
    """Return the instructions of a short program in a fresh interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command = [*_at_fixed_addresses(), *_VALGRIND, f"--log-file={log}", sys.executable, "-P", "-c", program]
        subprocess.run(command, env={**environment, "PYTHONHASHSEED": "0"}, check=True)
        return _counted(log)


def _output(rows: str, python: Path | None, folder: Path, logs: Path) -> str:
    # Only the benchmarks are found here, so that another interpreter imports the library that is installed there.
    (folder / "benchmarks").symlink_to(_FOLDER)
    path = str(folder if python else _FOLDER.parent)
    command = [*_at_fixed_addresses(), *_VALGRIND, f"--log-file={logs}/%p", str(python or sys.executable), "-P"]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": path}
    done = subprocess.run(
        [*command, "-m", "benchmarks.counted", rows], env=environment, cwd=folder, stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode()


def _at_fixed_addresses() -> list[str]:
    """Return what turns the randomisation of addresses off, where that is allowed: hashes of objects depend on them."""
    command = ["setarch", "-R"]
    if shutil.which("setarch") and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
        return command
    return []


def _counted(log: Path) -> int:
    found = re.search(r"I\s+refs:\s+([\d,]+)", log.read_text())
    assert found is not None, "cachegrind has not said how many instructions there were"
    return int(found[1].replace(",", ""))

"""What importing costs, each time in a fresh interpreter. What this needs to start is not counted."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from benchmarks.cachegrind import count_program, missing
from benchmarks.report import Section, Table, timing_table
from benchmarks.runner import Samples

OURS = "import asgi_login"
ALONE = "PyJWT and what it uses of cryptography"
SHARE = "instructions, import asgi_login / PyJWT and cryptography alone"
_STATEMENTS = {OURS: "import asgi_login", ALONE: "import jwt.algorithms"}
_TITLE = "The instructions of an import"
_TIMED = """
from time import perf_counter
start = perf_counter()
{}
print(perf_counter() - start)
"""
# Without the end of the interpreter, which takes the longer the more there is to throw away.
_COUNTED = """
import os
{}
os._exit(0)
"""


def imports(*, rounds: int) -> Section:
    """Measure both, in turns, and count the instructions of both."""
    with tempfile.TemporaryDirectory() as folder:
        # The first import of each compiles the modules into this folder, whatever the environment says of that.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}
        samples: dict[str, list[float]] = {name: [] for name in _STATEMENTS}
        for name in _STATEMENTS:
            _seconds(name, environment)
        for _ in range(rounds):
            for name, values in samples.items():
                values.append(_seconds(name, environment) * 1e6)
        found = {name: Samples(tuple(values)) for name, values in samples.items()}
        times = timing_table("Import", found, base=ALONE, unit="ms")
        why_not = missing()
        if why_not is not None:
            return Section([times, Table(_TITLE, [], [], [why_not])], found)
        counts = _counts(environment)
    rows = [[name, f"{number / 1e6:.0f}", f"{number / counts[ALONE]:.2f}"] for name, number in counts.items()]
    table = Table(_TITLE, ["", "millions", f"ratio to: {ALONE}"], rows)
    return Section([times, table], found, {SHARE: counts[OURS] / counts[ALONE]})


def _seconds(name: str, environment: Mapping[str, str]) -> float:
    command = [sys.executable, "-c", _TIMED.format(_STATEMENTS[name])]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def _counts(environment: Mapping[str, str]) -> dict[str, int]:
    start = count_program(_COUNTED.format("pass"), environment)
    return {
        name: count_program(_COUNTED.format(statement), environment) - start for name, statement in _STATEMENTS.items()
    }

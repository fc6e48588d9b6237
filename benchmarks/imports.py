"""What importing costs, each time in a fresh interpreter."""

import subprocess
import sys

from benchmarks.report import Section, timing_table
from benchmarks.runner import Samples

OURS = "import asgi_login"
ALONE = "PyJWT and what it uses of cryptography"
_STATEMENTS = {OURS: "import asgi_login", ALONE: "import jwt.algorithms"}
_PROGRAM = """
from time import perf_counter
start = perf_counter()
{}
print(perf_counter() - start)
"""


def imports(*, rounds: int) -> Section:
    """Measure both, in turns; what an interpreter needs to start is not counted."""
    samples: dict[str, list[float]] = {name: [] for name in _STATEMENTS}
    for name in _STATEMENTS:
        _seconds(name)
    for _ in range(rounds):
        for name, values in samples.items():
            values.append(_seconds(name) * 1e6)
    found = {name: Samples(tuple(values)) for name, values in samples.items()}
    return Section([timing_table("Import", found, base=ALONE, unit="ms")], found)


def _seconds(name: str) -> float:
    command = [sys.executable, "-c", _PROGRAM.format(_STATEMENTS[name])]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

"""What wrk says of a server."""

import re
import subprocess
from typing import NamedTuple

_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Load(NamedTuple):
    """What one turn has found."""

    rate: float
    """Requests per second."""
    p99: float
    """The milliseconds in which 99 of 100 were answered."""


def load(wrk: str, port: int, token: str | None, duration: int) -> Load:
    """Load a server from one thread with 32 connections, for so many seconds."""
    command = [wrk, "-t1", "-c32", f"-d{duration}s", "--latency"]
    if token is not None:
        command += ["-H", f"Authorization: Bearer {token}"]
    command.append(f"http://127.0.0.1:{port}/")
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in text, text
    assert "Socket errors" not in text, text
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    assert rate, text
    assert p99, text
    return Load(float(rate[1]), float(p99[1]) * _MILLISECONDS[p99[2]])

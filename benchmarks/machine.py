"""On what all this was measured."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.node import FOLDER
from benchmarks.report import Table

_PACKAGES = (
    "asgi-login",
    "cryptography",
    "pyjwt",
    "anyio",
    "starlette",
    "fastapi",
    "litestar",
    "fastapi-login",
    "fastapi-users",
    "authx",
    "starlette-login",
    "joserfc",
    "uvicorn",
    "uvloop",
    "httptools",
    "redis",
)


def machine() -> Table:
    """Return the machine, the interpreter and the versions of everything."""
    rows = [
        ["processor", processor()],
        ["system", f"{_system()}, Linux {platform.release()}" if _system() else platform.platform()],
        ["Python", f"{platform.python_implementation()} {platform.python_version()}"],
        *([name, found] for name in _PACKAGES if (found := _version(name))),
        ["node", _says("node", "--version") or "none"],
        ["fast-jwt", _fast_jwt() or "none"],
        ["redis-server", (_says("redis-server", "--version") or "none").partition("v=")[2].partition(" ")[0] or "none"],
        ["wrk", (_says("wrk", "-v") or "none").partition(" [")[0].removeprefix("wrk ")],
    ]
    return Table("The machine and the versions", ["", ""], rows)


def processor() -> str:
    """Return the name of the processor, and how many cores there are."""
    return f"{_model()}, {os.cpu_count()} cores"


def _model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str | None:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _says(program: str, argument: str) -> str | None:
    path = shutil.which(program)
    if path is None:
        return None
    found = subprocess.run([path, argument], capture_output=True, text=True, check=False)
    return (found.stdout or found.stderr).splitlines()[0].strip()


def _fast_jwt() -> str | None:
    manifest = FOLDER / "node_modules" / "fast-jwt" / "package.json"
    if not manifest.exists():
        return None
    return next(line.split('"')[3] for line in manifest.read_text().splitlines() if '"version"' in line)

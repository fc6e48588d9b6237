"""Lays out the sources of the compiled wheel: the same files, with setuptools and mypyc to build them.

uv_build, which builds the pure wheel and the source distribution, cannot compile. So everything that differs stays in
this folder.
"""

import shutil
import sys
import tomllib
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parent
_BUILD_SYSTEM = '[build-system]\nrequires = ["uv_build>=0.9"]\nbuild-backend = "uv_build"\n'
# Of all that the compiled modules import, mypy reads the types.
_NEEDED = ("mypy", "setuptools", "anyio", "asgiref", "cryptography", "httpx", "pyjwt")


def stage(target: Path) -> None:
    """Write a source tree of which any front end of PEP 517 makes the wheel, for the Python that it runs on."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(_ROOT / "asgi_login", target / "asgi_login", ignore=shutil.ignore_patterns("__pycache__"))
    for file in (_ROOT / "README.md", _ROOT / "LICENSE", _HERE / "setup.py"):
        shutil.copy(file, target)
    project = (_ROOT / "pyproject.toml").read_text()
    if _BUILD_SYSTEM not in project:
        raise SystemExit(f"pyproject.toml has another [build-system] than {Path(__file__).name} knows")
    locked = tomllib.loads((_ROOT / "uv.lock").read_text())["package"]
    pins = [f"{one['name']}=={one['version']}" for one in locked if one["name"] in _NEEDED]
    ours = f'[build-system]\nrequires = {pins}\nbuild-backend = "setuptools.build_meta"\n'
    (target / "pyproject.toml").write_text(project.replace(_BUILD_SYSTEM, ours))


if __name__ == "__main__":
    stage(Path(sys.argv[1]))

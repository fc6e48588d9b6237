"""Runs the tests against the compiled wheel that is installed for the Python that runs this.

`make test-compiled` calls it, and so does the workflow that builds the wheels of a release, also on Windows, where the
Makefile does not run.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
# Where the library itself is not found, so that nothing but the wheel brings it.
_FOLDER = Path("build", "tested")
_SOURCES = ("tests", "docs", "examples", "benchmarks", "LICENSE", "Makefile", "pyproject.toml")
# What is about the sources, or measures them, and what needs a process of its own.
_LEFT_OUT = ("browser", "conformance", "test_benchmarks.py", "test_compiled_modules.py")
_LINKS = "tests/test_docs.py::test_every_link_within_the_project_leads_somewhere"
# What is slow and hardly about compiled code.
_SLOW = (
    "issuers",
    "servers",
    "stores",
    "test_demo.py",
    "test_demo_devices.py",
    "test_demo_redis.py",
    "test_demo_tokens.py",
)
# What runs bash, opens /dev/full, or stops processes with signals.
_POSIX = ("test_cli.py", "test_docs.py", "test_examples.py") if sys.platform == "win32" else ()


def _lay_out() -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir(parents=True)
    for source in (*(_ROOT / name for name in _SOURCES), *_ROOT.glob("*.md")):
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, _FOLDER / source.name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(source, _FOLDER)


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=_FOLDER, check=False)  # noqa: S603 - our own commands
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    """Run all tests, or those that further arguments name to pytest."""
    parser = argparse.ArgumentParser(description="Run the tests against the compiled wheel.", allow_abbrev=False)
    parser.add_argument("--less", action="store_true", help="leave out what is slow and hardly about compiled code")
    options, named = parser.parse_known_args()
    _lay_out()
    _run("-c", "import asgi_login; assert asgi_login.__compiled__")
    pytest = ["-m", "pytest", "-q", "--no-header", *(["-k", "not trio"] if options.less else [])]
    if named:
        _run(*pytest, *named)
        return
    left_out = (*_LEFT_OUT, *_POSIX, *(_SLOW if options.less else ()))
    # The conformance suite has a process of its own, because it configures Django.
    _run(*pytest, "tests/conformance")
    _run(*pytest, *(f"--ignore=tests/{name}" for name in left_out), "--deselect", _LINKS, "tests")


if __name__ == "__main__":
    main()

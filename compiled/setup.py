"""Builds the compiled wheel, where `stage.py` has laid out its sources."""

from pathlib import Path
from typing import Final

from mypyc.build import include_dir, mypycify
from setuptools import Extension, find_packages, setup

# What a request with a good credential, or with none, runs. What is public stays interpreted, so that it keeps its
# signatures and docstrings, takes subclasses, and refuses attributes that it does not have; and so do settings and
# errors. A class stands here together with those that derive from it, unless it says `allow_interpreted_subclasses`:
# then it is the base of a public class.
#
# Compiled code checks types where it is called. So whatever an application or a client may pass wrongly is annotated as
# an object, and checked with a sentence. And in one function, each exception that is caught has a name of its own.
MODULES = (
    "application/paths",
    "auth/facts",
    "auth/outcome",
    "base_authenticator",
    "authenticator",
    "current",
    "exchange/http_record",
    "exchange/record",
    "exchange/response_headers",
    "exchange/websocket_record",
    "loader/loader",
    "multi_authenticator",
    "readers",
    "request_handler",
    "scope",
    "sessions/fingerprint",
    "sessions/session",
    "tokens/base64url",
    "tokens/cache",
    "tokens/claims",
    "tokens/codec",
    "tokens/foreign_codec",
    "tokens/parts",
    "tokens/strict_json",
    "tokens/verified",
    "transports/bearer_token",
    "transports/csrf",
    "transports/origin_check",
)

_THROWS: Final = "PyObject_CallFunctionObjArgs(_m, type, value, traceback, NULL)"


def _compiled(modules: tuple[str, ...]) -> list[Extension]:
    """Return the modules as extensions whose coroutines call throw() with one argument.

    mypyc passes three (https://github.com/mypyc/mypyc/issues/1214). Python warns of that from 3.12 on, and a test suite
    that takes warnings for errors would see one in place of the cancellation of a request. When uv.lock has a mypy
    whose misc_ops.c passes one argument, this function can be replaced by its first line.
    """
    extensions = mypycify([f"asgi_login/{name}.py" for name in modules], opt_level="3", debug_level="0")
    runtime = Path(include_dir(), "misc_ops.c").read_text(encoding="utf-8")
    if runtime.count(_THROWS) != 1:
        raise SystemExit("mypyc's misc_ops.c has changed: see whether its throw() still needs to be mended")
    mended = Path("build", "mended")
    mended.mkdir(parents=True, exist_ok=True)
    (mended / "misc_ops.c").write_text(runtime.replace(_THROWS, "PyObject_CallOneArg(_m, value)"), encoding="utf-8")
    for extension in extensions:
        extension.include_dirs.insert(0, str(mended))
    return extensions


setup(
    packages=find_packages(include=["asgi_login", "asgi_login.*"]),
    package_data={"asgi_login": ["py.typed"]},
    ext_modules=_compiled(MODULES),
)

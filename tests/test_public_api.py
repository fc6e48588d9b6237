"""The public names, and what importing them brings along."""

import importlib.util
import inspect
import re
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from importlib.metadata import requires
from importlib.resources import files
from typing import get_overloads, get_type_hints

import pytest

import asgi_login

NAMES = [
    "Auth",
    "AuthError",
    "AuthMiddleware",
    "BasicTransport",
    "BearerTransport",
    "CookieTransport",
    "CrossOriginRequest",
    "Device",
    "Event",
    "EventKind",
    "Gate",
    "Grant",
    "HeaderTransport",
    "InsufficientScope",
    "InvalidRequest",
    "InvalidToken",
    "Key",
    "LoginManager",
    "LoginNotFresh",
    "MemoryStore",
    "NotAuthenticated",
    "NotPermitted",
    "Reason",
    "Refresh",
    "Resource",
    "ServiceUnavailable",
    "Sessions",
    "TokenPair",
    "Transport",
    "current_auth",
    "fresh_login_required",
    "get_auth",
    "login_required",
    "requires",
    "requires_scopes",
    "safe_next",
]
# Of types: they have neither a docstring nor annotations.
ALIASES = {"EventKind", "Reason"}
# Rooms that cost nothing until an application names them, or has a setting that needs them.
OPTIONAL = {
    *("cli", "django", "fastapi", "issuers", "litestar", "mcp", "oauth", "openapi", "quart", "redis", "starlette"),
    *("stores.revocation.breaker", "stores.revocation.follower", "testing"),
}


def run_python(code):
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_what_is_exported_is_sorted_and_exactly_the_documented_names():
    assert asgi_login.__all__ == NAMES
    assert sorted(NAMES) == NAMES


@pytest.mark.parametrize("name", sorted({*NAMES} - ALIASES))
def test_every_public_name_exists_and_is_documented(name):
    assert inspect.getdoc(getattr(asgi_login, name))


def test_a_star_import_gives_these_names_and_no_others():
    outcome = run_python("from asgi_login import *; print(*sorted(n for n in dir() if not n.startswith('_')))")
    assert outcome.stdout.split() == NAMES, outcome.stderr


def test_it_says_whether_it_is_compiled():
    suffixes = EXTENSION_SUFFIXES if asgi_login.__compiled__ else SOURCE_SUFFIXES
    assert importlib.import_module("asgi_login.authenticator").__file__.endswith(tuple(suffixes))


def test_the_errors_are_one_family():
    errors = [getattr(asgi_login, name) for name in NAMES if inspect.isclass(getattr(asgi_login, name))]
    errors = {error.__name__ for error in errors if issubclass(error, Exception)}
    assert errors == {
        "AuthError",
        "CrossOriginRequest",
        "InsufficientScope",
        "InvalidRequest",
        "InvalidToken",
        "LoginNotFresh",
        "NotAuthenticated",
        "NotPermitted",
        "ServiceUnavailable",
    }
    assert all(issubclass(getattr(asgi_login, error), asgi_login.AuthError) for error in errors)


def modules_after(code):
    outcome = run_python(f"{code}; import sys; print(*sys.modules)")
    assert outcome.returncode == 0, outcome.stderr
    return set(outcome.stdout.split())


def test_importing_it_loads_little_beside_what_pyjwt_loads():
    # No framework, anyio, asyncio or asgiref: each would make every start longer, also of commands that serve nothing.
    known = modules_after("import contextvars, jwt.algorithms, logging, secrets")
    added = modules_after("import asgi_login") - known
    # What mypyc compiles is a module with such a name.
    assert {name for name in added if name.partition(".")[0] != "asgi_login" and "__mypyc" not in name} == set()


def test_importing_it_loads_no_room_that_only_some_applications_need():
    rooms = {f"asgi_login.{room}" for room in OPTIONAL}
    assert all(map(importlib.util.find_spec, rooms))
    assert modules_after("import asgi_login").isdisjoint(rooms)


def test_importing_it_starts_nothing_and_says_nothing():
    seen = "threading.active_count(), logging.getLogger('asgi_login').handlers"
    outcome = run_python(f"import threading, logging, asgi_login; print({seen})")
    assert (outcome.stdout, outcome.stderr) == ("1 []\n", "")


@pytest.mark.parametrize(
    ("module", "missing", "sentence"),
    [
        ("starlette", "starlette", r"asgi_login\.starlette needs Starlette 0\.46 or later: pip install starlette"),
        ("fastapi", "fastapi", r"asgi_login\.fastapi needs FastAPI 0\.124 or later: pip install fastapi"),
    ],
)
def test_an_adapter_without_its_framework_says_what_to_install(module, missing, sentence):
    code = f"import sys; sys.modules[{missing!r}] = None; import asgi_login.{module}"
    outcome = run_python(code)
    assert outcome.returncode == 1
    last = outcome.stderr.strip().splitlines()[-1]
    assert re.fullmatch(f"ImportError: {sentence}", last)


def test_the_fastapi_adapter_without_either_framework_says_what_to_install():
    code = "import sys; sys.modules['fastapi'] = sys.modules['starlette'] = None; import asgi_login.fastapi"
    outcome = run_python(code)
    assert outcome.returncode == 1
    assert re.search(
        r"^ImportError: asgi_login\.\w+ needs \w+ .* or later: pip install \w+$", outcome.stderr, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("module", "brings", "not_brings"),
    [
        ("starlette", {"starlette"}, {"fastapi", "quart", "litestar", "django"}),
        ("fastapi", {"fastapi"}, {"quart", "django"}),
    ],
)
def test_an_adapter_imports_its_own_framework_only(module, brings, not_brings):
    outcome = run_python(f"import asgi_login.{module}, sys; print(*sys.modules)")
    loaded = set(outcome.stdout.split())
    assert brings <= loaded, outcome.stderr
    assert loaded.isdisjoint(not_brings)


def test_the_floor_of_pyjwt_is_the_first_release_without_the_advisories_of_2026():
    assert "pyjwt>=2.15" in requires("asgi-login")


def test_asgiref_comes_along_from_the_first_release_that_its_types_are_tested_with():
    assert "asgiref>=3.8" in requires("asgi-login")


def functions(public):
    """Return the functions of a public name: itself, or what its class and those above it in this package define."""
    if not inspect.isclass(public):
        return [public]
    found = [vars(one) for one in public.__mro__ if one.__module__.startswith("asgi_login")]
    members = [member for one in found for member in one.values()]
    members = [getattr(member, "fget", None) or getattr(member, "__func__", member) for member in members]
    return [member for member in members if inspect.isfunction(member)]


@pytest.mark.parametrize("name", sorted({*NAMES} - ALIASES))
def test_the_annotations_of_a_public_name_can_be_resolved(name):
    public = getattr(asgi_login, name)
    for function in functions(public):
        for one in (function, *get_overloads(function)):
            hints = get_type_hints(one)
            annotated = [
                part for part in inspect.signature(one).parameters.values() if part.annotation is not part.empty
            ]
            assert {part.name for part in annotated} <= hints.keys()
    if inspect.isclass(public):
        get_type_hints(public)


def test_type_checkers_are_told_that_it_is_typed():
    assert files("asgi_login").joinpath("py.typed").is_file()

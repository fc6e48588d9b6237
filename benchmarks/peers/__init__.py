"""The libraries that people use today, each configured as its documentation says."""

from importlib import import_module

from benchmarks.contestants import Contestant

_MODULES = (
    "fastapi_login_",
    "fastapi_tutorial",
    "fastapi_users_",
    "authx_",
    "litestar_jwt",
    "quart_auth_",
    "starlette_pyjwt",
    "starlette_login_",
)


def peers() -> tuple[list[Contestant], list[str]]:
    """Return the contestants that are installed, and a sentence for each that is not."""
    found: list[Contestant] = []
    missing: list[str] = []
    for name in _MODULES:
        try:
            module = import_module(f"benchmarks.peers.{name}")
        except ModuleNotFoundError as problem:
            missing.append(f"{name.rstrip('_').replace('_', '-')}: {problem.name} is not installed")
        else:
            found += module.contestants()
    return found, missing

"""Builds the compiled wheel, where `stage.py` has laid out its sources."""

from mypyc.build import mypycify
from setuptools import find_packages, setup

# What a request with a good credential, or with none, runs. What is public stays interpreted, so that it keeps its
# signatures and docstrings, takes subclasses, and refuses attributes that it does not have; and so do settings and
# errors. A class stands here with those that derive from it.
#
# Compiled code checks types where it is called. So whatever an application or a client may pass wrongly is annotated as
# an object, and checked with a sentence. And in one function, each exception that is caught has a name of its own.
MODULES = (
    "application/paths",
    "auth/facts",
    "auth/outcome",
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

setup(
    packages=find_packages(include=["asgi_login", "asgi_login.*"]),
    package_data={"asgi_login": ["py.typed"]},
    ext_modules=mypycify([f"asgi_login/{name}.py" for name in MODULES], opt_level="3", debug_level="0"),
)

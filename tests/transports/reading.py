"""What the tests that read credentials share: tokens good and bad, what becomes of them, and how long it takes."""

import time

from helpers import authenticate, claims, hs256, make_manager

TOKEN = hs256()
OTHER = hs256(claims(sub="user1"))
BAD = hs256(secret="x" * 32)


def user_of(*headers, **scope):
    return authenticate(make_manager(), *headers, **scope).user


def error_of(*headers, **scope):
    return type(authenticate(make_manager(), *headers, **scope).error)


def authorization(value):
    return (b"authorization", value if isinstance(value, bytes) else value.encode("latin-1"))


def best_of(call, repeats=15):
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best

"""What grows with keys, scopes, cookies, headers and tokens, and what must not."""

import itertools
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, TypeAlias

from asgi_login import AuthMiddleware, Gate
from benchmarks.drive import ASGIApp, Request, answer, bearer, requests
from benchmarks.frameworks import ReadyUser, page
from benchmarks.keys import SECRET
from benchmarks.mint import Mint
from benchmarks.ours import access_token, make_manager
from benchmarks.report import Section, Table, timing_table
from benchmarks.runner import Run, Samples, calls_of, measure

_SIZES = {"keys": (1, 10, 100), "scopes": (1, 10, 100, 1000), "cookies": (1, 10, 100, 200)}
_FLAT_IN = {"keys": "with 1 to 100 keys", "tokens": "after 1 to 1,000,000 distinct tokens"}
_PATHS = ("hit", "miss")
FLAT = tuple(f"cost of a {path} {span}" for span in _FLAT_IN.values() for path in _PATHS)
HOSTILE = "slowest hostile request"
_Verify: TypeAlias = Callable[[bytes], object]
_MEGABYTE = 1_000_000
_NAME = b"__Host-access-token"
_MILLION = 1_000_000
_NOTE = "A token of more than 4,096 bytes, here that with 1,000 scopes, is not kept: each of its requests is a miss."


def growth(*, rounds: int, seconds: float, distinct: Sequence[int]) -> Section:
    """Measure whole requests, the bare application with the same headers subtracted, and the cache alone."""
    bare = ReadyUser(page)
    apps = {**_keys(), **_scopes(), **_cookies(), **_headers()}
    hostile = _hostile()
    runs = {name: requests(app, request) for name, (app, request) in (apps | hostile).items()}
    runs |= {f"bare: {name}": requests(bare, request) for name, (_, request) in (apps | hostile).items()}
    samples = measure(runs, rounds=rounds, seconds=seconds)
    net = {name: samples[name].minus(samples[f"bare: {name}"]) for name in apps}
    slow = {name: samples[name].minus(samples[f"bare: {name}"]) for name in hostile}
    tokens = measure(_distinct(distinct), rounds=rounds, seconds=seconds)
    figures = {HOSTILE: max(one.median for one in slow.values()) / 1000}
    figures |= _flatness("keys", net, _SIZES["keys"])
    if _MILLION in distinct:
        figures |= _flatness("tokens", tokens, distinct)
    tables = [
        timing_table("Growth of a request's cost", net, base="1 keys, hit", notes=[_NOTE]),
        timing_table("Verification after many distinct tokens", tokens, base="1 tokens, hit"),
        _hostile_table(slow),
    ]
    return Section(tables, {**net, **tokens, **slow}, figures)


def _flatness(what: str, samples: Mapping[str, Samples], sizes: Sequence[int]) -> dict[str, float]:
    figures = {}
    for path in _PATHS:
        medians = [samples[f"{size:,} {what}, {path}"].median for size in sizes]
        figures[f"cost of a {path} {_FLAT_IN[what]}"] = max(medians) / min(medians)
    return figures


def _both(name: str, make: Callable[[int], Any], token: str) -> dict[str, tuple[ASGIApp, Request]]:
    """Return the token's request with a cache, and without."""
    found = {}
    for path, size in {"hit": 4096, "miss": 0}.items():
        app = AuthMiddleware(page, make(size))
        found[f"{name}, {path}"] = (app, bearer(token))
        _expect(200, app, bearer(token), name)
    return found


def _keys() -> dict[str, tuple[ASGIApp, Request]]:
    found = {}
    for count in _SIZES["keys"]:
        others = [secrets.token_bytes(32) for _ in range(count - 1)]
        # The last of them signed: what is tried in turn would show.
        token = access_token(make_manager())
        found |= _both(f"{count:,} keys", lambda size, keys=[*others, SECRET]: _manager(keys, size), token)
    return found


def _scopes() -> dict[str, tuple[ASGIApp, Request]]:
    found = {}
    for count in _SIZES["scopes"]:
        scopes = [f"s{number:03d}" for number in range(count)]
        token = make_manager().create_access_token(data={"sub": "ada"}, scopes=scopes)
        found |= _both(f"{count:,} scopes", lambda size: _manager(SECRET, size), token)
    return found


def _cookies() -> dict[str, tuple[ASGIApp, Request]]:
    found = {}
    manager = make_manager()
    name, token = manager.cookie_transport.cookie_name, access_token(manager)
    for count in _SIZES["cookies"]:
        pairs = [*(f"name{number}=value{number}" for number in range(count - 1)), f"{name}={token}"]
        request = Request().having((b"cookie", "; ".join(pairs).encode()))
        found[f"{count:,} cookies"] = (AuthMiddleware(page, manager), request)
        _expect(200, *found[f"{count:,} cookies"], "cookies")
    return found


def _headers() -> dict[str, tuple[ASGIApp, Request]]:
    manager = make_manager()
    app, good = AuthMiddleware(page, manager), bearer(access_token(manager))
    lines = [(b"x-header-%03d" % number, b"x" * 148) for number in range(100)]
    found = {
        "16 kB of headers in 100 lines, bearer": (app, good.having(*lines)),
        "16 kB of headers in one line, bearer": (app, good.having((b"x-header", b"x" * 16_000))),
    }
    for name, (_, request) in found.items():
        _expect(200, app, request, name)
    return {**found, "16 kB of headers in 100 lines, anonymous": (app, Request().having(*lines))}


def _hostile() -> dict[str, tuple[ASGIApp, Request]]:
    # Browsers are redirected, so that Accept is looked at too.
    app = AuthMiddleware(Gate(page), make_manager(redirect_to="/login"))
    # Their names are as long as those that are looked for, so that the length alone does not rule them out.
    short, long = ([(b"x-fill", b"x" * (size - 6))] * (_MEGABYTE // size) for size in (20, 100))
    found = {
        "an Authorization of 1 MB": Request().having((b"authorization", b"Bearer " + b"a" * _MEGABYTE)),
        "an Authorization of 1 MB, shaped like a token": Request().having(
            (b"authorization", b"Bearer " + b".".join([b"a" * (_MEGABYTE // 3)] * 3))
        ),
        "a Cookie of 1 MB, in pairs": Request().having((b"cookie", b"a=b;" * (_MEGABYTE // 4))),
        "1 MB of Cookie lines of 100 bytes": Request().having(*[(b"cookie", b"a=" + b"b" * 92)] * (_MEGABYTE // 100)),
        "an Authorization of 1 MB, of spaces": Request().having(
            (b"authorization", b"Bearer" + b" " * _MEGABYTE + b"a")
        ),
        "900 Cookie lines": Request().having(*[(b"cookie", b"a=b")] * 900),
        "16 kB of Cookie lines with our cookie's name": Request().having(*[(b"cookie", _NAME)] * 860),
        "16 kB of Cookie with our cookie's name": Request().having((b"cookie", (_NAME + b"=a;") * 700)),
        "4 kB of commas in Accept": Request().having((b"accept", b"," * 4_096)),
        "4 kB of parameters in Accept": Request().having((b"accept", b"text/html;q=0" + b";" * 4_000)),
        "900 Accept lines": Request().having(*[(b"accept", b",")] * 900),
        "1 MB of other lines of 100 bytes": Request().having(*long),
        "1 MB of other lines of 20 bytes": Request().having(*short),
    }
    for name, request in found.items():
        _expect(401, app, request, name)
    return {name: (app, request) for name, request in found.items()}


def _hostile_table(samples: Mapping[str, Samples]) -> Table:
    rows = [[name, *one.format(".3f", divisor=1000)] for name, one in samples.items()]
    notes = ["Added by the middleware, the bare application with the same headers subtracted."]
    return Table("Hostile headers", ["", "median, ms", "quartiles"], rows, notes)


def _distinct(counts: Sequence[int]) -> dict[str, Run]:
    """Return what verifies a known token, and new ones, after that many have been seen."""
    mint = Mint(make_manager())
    fresh = map(mint.numbered, itertools.count())
    runs = {}
    for count in counts:
        verify = _seen(count, fresh)
        runs[f"{count:,} tokens, hit"] = _hits(verify, next(fresh))
        runs[f"{count:,} tokens, miss"] = _misses(count, verify, fresh)
    return runs


def _seen(count: int, fresh: Iterator[bytes]) -> _Verify:
    verify = make_manager().config.tokens.verify
    for token in itertools.islice(fresh, count):
        verify(token)
    return verify


def _hits(verify: _Verify, known: bytes) -> Run:
    run = calls_of(lambda: verify(known))

    def after_one_more(calls: int) -> float:
        # The misses of a round may have pushed it out.
        verify(known)
        return run(calls)

    return after_one_more


def _misses(count: int, kept: _Verify, fresh: Iterator[bytes]) -> Run:
    def run(calls: int) -> float:
        # Misses are seen too: where they would soon outnumber the rest, each round starts anew.
        verify = _seen(count, fresh) if count < 10_000 else kept  # noqa: PLR2004
        tokens = list(itertools.islice(fresh, calls))
        start = perf_counter()
        for token in tokens:
            verify(token)
        return perf_counter() - start

    return run


def _manager(secret: object, size: int) -> Any:
    return make_manager(secret, token_cache_size=size)


def _expect(status: int, app: ASGIApp, request: Request, name: str) -> None:
    found = answer(app, request)[0]
    assert found == status, f"{name}: answered {found}"

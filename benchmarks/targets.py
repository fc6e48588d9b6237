"""What this library has set itself, but for stores, which have a table of their own."""

from collections.abc import Sequence

from benchmarks import added, entrants, growth, imports, memory, ours, server, verification
from benchmarks.instructions import RS256, share
from benchmarks.report import Section, Table
from benchmarks.server_cases import DEPENDS, INSTALLED, TUTORIAL
from benchmarks.target import Target, figure, figure_ratio, ratio, target_table

# Ours, and what else does the same in the same framework.
IN_FRAMEWORKS = {
    (ours.on("Starlette", ours.CACHED), "starlette-login, session cookie"): 1 / 6,
    (ours.on("Starlette", ours.CACHED), "Starlette AuthenticationMiddleware + PyJWT, HS256"): 1 / 6,
    (ours.FASTAPI_DEPENDS, added.DEPENDS): 1 / 4,
    (ours.FASTAPI_BARE, added.DEPENDS): 1 / 4,
    (ours.FASTAPI_BARE_COOKIE, added.DEPENDS): 1 / 4,
    (ours.FASTAPI_CURRENT_AUTH, added.DEPENDS): 1 / 8,
    (ours.on("Litestar", ours.CACHED), "Litestar JWTAuth, HS256"): 1 / 6,
    (ours.on("Litestar", ours.BEHIND), "Litestar JWTAuth, HS256"): 1 / 6,
    (ours.on("Quart", ours.CACHED), "quart-auth, session cookie"): 1 / 4,
    (ours.on("Quart", ours.IN_COOKIE), "quart-auth, session cookie"): 1 / 4,
}
_TARGETS = (
    Target("cached HS256 bearer / the best peer", 1 / 12, "", ratio(ours.CACHED, added.BEST_PEER)),
    Target("cached HS256 bearer / fastapi-login's Depends", 1 / 20, "", ratio(ours.CACHED, added.DEPENDS)),
    Target("cached HS256 bearer / a dict of tokens by hand", 2, "", ratio(ours.CACHED, entrants.CACHED_FLOOR)),
    Target("verified HS256 bearer / the best peer", 1 / 3, "", ratio(ours.COLD, added.BEST_PEER)),
    Target("verified HS256 bearer / verifying by hand", 1.7, "", ratio(ours.COLD, entrants.VERIFYING_FLOOR)),
    Target(
        "session with protection and CSRF check / a dict by hand", 4, "", ratio(ours.SESSION, entrants.CACHED_FLOOR)
    ),
    Target("anonymous / a dict of tokens by hand", 1.4, "", ratio(ours.ANONYMOUS, entrants.CACHED_FLOOR)),
    *(
        Target(f"{share(name)} / a dict by hand", limit, "", figure(share(name)))
        for name, limit in {ours.ANONYMOUS: 2.5, ours.CACHED: 4.5, ours.SESSION: 9, ours.COLD: 18}.items()
    ),
    *(
        Target(f"{share(name, is_compiled=True)} / a dict by hand", limit, "", figure(share(name, is_compiled=True)))
        for name, limit in {ours.ANONYMOUS: 1.4, ours.CACHED: 2.5, ours.SESSION: 5, ours.COLD: 13}.items()
    ),
    *(
        Target(f"{share(one)} / {other}", limit, "", figure_ratio(share(one), share(other)))
        for (one, other), limit in IN_FRAMEWORKS.items()
    ),
    Target(f"instructions, {RS256}", 1.05, "", figure(RS256)),
    Target("verifying HS256 / fast-jwt on Node", 1.5, "", ratio(verification.OURS, verification.FAST_JWT)),
    Target("PyJWT decode / verifying HS256", 4, "", ratio(verification.PYJWT, verification.OURS), is_at_least=True),
    *(Target(f"{name}, at most / at least", 1.25, "", figure(name)) for name in growth.FLAT),
    Target("a full default cache of 500-byte tokens", 16, "MiB", figure(memory.FULL_CACHE)),
    Target("resident memory gained from request 200,000 to 1,000,000", 2, "MiB", figure(memory.GAINED)),
    Target("the slowest request with 1 MB of hostile headers", 1, "ms", figure(growth.HOSTILE)),
    Target(
        "uvicorn's requests/s with the middleware / without, first quartile of the rounds",
        0.95,
        "",
        figure(server.KEPT),
        is_at_least=True,
    ),
    Target(imports.SHARE, 1.25, "", figure(imports.SHARE)),
    *(
        Target(f"{server.loss(name)} / {TUTORIAL}", 1 / 4, "", ratio(server.loss(name), server.loss(TUTORIAL)))
        for name in (INSTALLED, DEPENDS)
    ),
)


def targets(sections: Sequence[Section]) -> Table:
    """Return each target with what was measured, all in one run."""
    return target_table("Targets", _TARGETS, sections)

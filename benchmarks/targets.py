"""What this library has set itself, and whether one run has found it so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import added, growth, imports, memory, ours, server, verification
from benchmarks.report import Section, Table
from benchmarks.runner import Samples


class Results:
    """Everything that a run has found.

    Args:
        sections: Of the run.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        self.samples: dict[str, Samples] = {}
        self.figures: dict[str, float] = {}
        for section in sections:
            # What has one name in two sections was measured at two times: no ratio may mix them.
            assert self.samples.keys().isdisjoint(section.samples)
            self.samples.update(section.samples)
            self.figures.update(section.figures)

    def ratio(self, one: str, other: str) -> Samples:
        """Return the ratios of two contestants, round by round."""
        return self.samples[one].over(self.samples[other])

    def cold_rs256(self) -> Samples:
        """Return our cost with RS256, over that with HS256 in which the HMAC is exchanged for the RSA signature."""
        without_beyond = self.samples[added.HMAC_ALONE].minus(self.samples[ours.COLD])
        return self.samples[ours.COLD_RS256].over(self.samples[added.RSA_ALONE].minus(without_beyond))


@dataclass(frozen=True)
class _Target:
    what: str
    limit: float
    unit: str
    measured: Callable[[Results], Samples]
    is_at_least: bool = False

    def row(self, results: Results) -> list[str]:
        word = "at least" if self.is_at_least else "at most"
        limit = f"{word} {self.limit:.3g} {self.unit}".rstrip()
        try:
            found = self.measured(results)
        except KeyError:
            return [self.what, limit, "", "", "not measured"]
        is_met = found.median >= self.limit if self.is_at_least else found.median <= self.limit
        median, quartiles = found.format(".3g")
        spread = quartiles if len(found.values) > 1 else ""
        return [self.what, limit, f"{median} {self.unit}".rstrip(), spread, "met" if is_met else "missed"]


def _ratio(one: str, other: str) -> Callable[[Results], Samples]:
    return lambda results: results.ratio(one, other)


def _figure(name: str) -> Callable[[Results], Samples]:
    return lambda results: Samples((results.figures[name],))


_TARGETS = (
    _Target("cached HS256 bearer / the best peer", 1 / 12, "", _ratio(ours.CACHED, added.BEST_PEER)),
    _Target("cached HS256 bearer / fastapi-login's Depends", 1 / 20, "", _ratio(ours.CACHED, added.DEPENDS)),
    _Target("cached HS256 bearer / a dict of tokens by hand", 2, "", _ratio(ours.CACHED, added.CACHED_FLOOR)),
    _Target("verified HS256 bearer / the best peer", 1 / 3, "", _ratio(ours.COLD, added.BEST_PEER)),
    _Target("verified HS256 bearer / verifying by hand", 1.7, "", _ratio(ours.COLD, added.VERIFYING_FLOOR)),
    _Target(
        "verified RS256 bearer / public_key.verify and what HS256 adds beyond its HMAC", 1.05, "", Results.cold_rs256
    ),
    _Target("session with protection and CSRF check / a dict by hand", 4, "", _ratio(ours.SESSION, added.CACHED_FLOOR)),
    _Target("anonymous / a dict of tokens by hand", 1.4, "", _ratio(ours.ANONYMOUS, added.CACHED_FLOOR)),
    _Target("verifying HS256 / fast-jwt on Node", 1.5, "", _ratio(verification.OURS, verification.FAST_JWT)),
    _Target("PyJWT decode / verifying HS256", 4, "", _ratio(verification.PYJWT, verification.OURS), is_at_least=True),
    *(_Target(f"{name}, at most / at least", 1.25, "", _figure(name)) for name in growth.FLAT),
    _Target("a full default cache of 500-byte tokens", 16, "MiB", _figure(memory.FULL_CACHE)),
    _Target("resident memory gained from request 200,000 to 1,000,000", 2, "MiB", _figure(memory.GAINED)),
    _Target("the slowest request with 1 MB of hostile headers", 1, "ms", _figure(growth.HOSTILE)),
    _Target(
        "uvicorn's requests/s with the middleware / without, first quartile of the rounds",
        0.95,
        "",
        _figure(server.KEPT),
        is_at_least=True,
    ),
    _Target("import asgi_login / PyJWT and cryptography alone", 1.3, "", _ratio(imports.OURS, imports.ALONE)),
)


def targets(sections: Sequence[Section]) -> Table:
    """Return each target with what was measured, all in one run."""
    results = Results(sections)
    rows = [target.row(results) for target in _TARGETS]
    return Table("Targets", ["", "target", "measured", "quartiles", ""], rows)


def medians(sections: Sequence[Section]) -> Mapping[str, float]:
    """Return the median of everything that was sampled."""
    return {name: one.median for name, one in Results(sections).samples.items()}

"""What is measured on requests: an application, a request, and the proof that it tells good from bad."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from benchmarks.drive import ASGIApp, Request, answer


class Kind(Enum):
    """Whose code a contestant is."""

    OURS = "asgi-login"
    PEER = "peer"
    FLOOR = "by hand"


@dataclass(frozen=True)
class Contestant:
    """An application and the request that is measured.

    Attributes:
        name: In the tables.
        kind: Whose it is.
        base: The bare application whose time is subtracted.
        app: The application.
        request: The request that is measured.
        status: What it must answer to that.
        others: Further requests, with the status that each must get.
    """

    name: str
    kind: Kind
    base: str
    app: ASGIApp
    request: Request
    status: int
    others: Mapping[str, tuple[Request, int]]

    def problem(self) -> str | None:
        """Return why it must not be measured, or None if it answers as it must."""
        expected = {"the measured request": (self.request, self.status), **self.others}
        for name, (request, status) in expected.items():
            found = answer(self.app, request)[0]
            if found != status:
                return f"answered {found} instead of {status} to {name}"
        return None


def contestant(
    name: str,
    kind: Kind,
    base: str,
    app: ASGIApp,
    *,
    good: Request,
    bad: Request,
    none: Request | None = None,
    refusals: tuple[int, int] = (401, 401),
) -> Contestant:
    """Return a contestant that is measured with a good credential, and must refuse a bad one and none."""
    others = {
        "a bad credential": (bad, refusals[0]),
        "no credential": (none or Request(), refusals[1]),
        "a good credential again": (good, 200),
    }
    return Contestant(name, kind, base, app, good, 200, others)

import fnmatch
import importlib
import pkgutil
from pathlib import Path

import conformance.apps
import pytest
from conformance import matrix
from conformance.browser import Browser
from conformance.communicator import Communicated
from conformance.contract import Site
from conformance.logins import shared

FRAMEWORKS = [
    importlib.import_module(f"conformance.apps.{module.name}").FRAMEWORK
    for module in pkgutil.iter_modules(conformance.apps.__path__)
]
MOUNTINGS = [
    pytest.param((framework, mount), id=f"{framework.name}-{mount}")
    for framework in FRAMEWORKS
    for mount in framework.mounts
]

USUAL = shared()
BUILT = {}


class Mounting:
    """One framework, with the middleware inside of it or around it."""

    def __init__(self, framework, mount, backend):
        self.framework = framework
        self.mount = mount
        self.communicated = framework.communicated and backend == "asyncio"
        self.site = None

    def app(self, *logins, **settings):
        """Return the application for these logins, as the driver is to speak to it."""
        return self.served(self.called(*logins, **settings))

    def served(self, app):
        """Return an application as the driver is to speak to it."""
        return Communicated(app) if self.communicated else app

    def called(self, *logins, mount=None, **settings):
        """Return the application for these logins, which the driver calls in its own task; its `site` is kept.

        What only shared logins need is built once: an application serves more than one request, and building one
        takes longer than most tests.
        """
        mount = mount or self.mount
        if not all(one.is_shared for one in logins):
            return self._build(logins, mount, settings)[0]
        key = (self.framework.name, mount, logins, repr(settings))
        if key not in BUILT:
            BUILT[key] = self._build(logins, mount, settings)
        app, self.site = BUILT[key]
        self.site.forget()
        return app

    def _build(self, logins, mount, settings):
        self.site = Site([one.manager for one in logins], mount, **settings)
        return self.framework.build(self.site), self.site

    def cannot(self, what):
        """Return why this mounting of the framework cannot do it, or None."""
        return self.framework.cannot.get(what) or self.framework.cannot.get(f"{what} when {self.mount}")


@pytest.fixture(params=MOUNTINGS)
def mounting(request, anyio_backend):
    framework, mount = request.param
    if anyio_backend not in framework.backends:
        pytest.skip(f"{framework.name} does not run on {anyio_backend}")
    return Mounting(framework, mount, anyio_backend)


@pytest.fixture
def logins():
    USUAL.forget()
    return USUAL


@pytest.fixture
def app(mounting, logins):
    return mounting.app(logins)


@pytest.fixture
def browse(mounting):
    def start(logins=USUAL, **settings):
        """Return a browser without a cookie, at an application for these logins."""
        logins.forget()
        return Browser(mounting.app(logins), logins.clock, **settings)

    return start


@pytest.fixture
def browser(browse):
    return browse()


def pytest_addoption(parser):
    parser.addoption("--write-matrix", action="store_true", help="write docs/reference/conformance.md")


def _reasons(framework, mount, name, params):
    """Return why this test must fail here, by the patterns that say so."""
    found = {}
    for reason, patterns in framework.differs.items():
        for pattern in patterns:
            where, colon, rest = pattern.rpartition(":")
            test, _, wanted = rest.partition(" ")
            if test == name and (not colon or where == mount) and fnmatch.fnmatchcase(params, wanted or "*"):
                found[pattern] = reason
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Leave out what a framework does not run on, expect what it must fail, and note all that for the matrix."""
    here = Path(__file__).parent
    kept, left_out = [], []
    found = config.stash.setdefault(matrix.FOUND, matrix.Found())
    for item in items:
        if here not in item.path.parents or "mounting" not in getattr(item, "fixturenames", ()):
            kept.append(item)
            continue
        framework, mount = item.callspec.params["mounting"]
        is_websocket = item.path.stem.endswith("_websocket") or "websocket" in item.originalname
        if item.callspec.params["anyio_backend"] not in framework.backends:
            left_out.append(item)
            continue
        if is_websocket and framework.no_websockets:
            found.add(item, framework, mount, framework.no_websockets)
            left_out.append(item)
            continue
        params = item.callspec.id.partition(f"{framework.name}-{mount}")[2].removeprefix("-")
        reasons = _reasons(framework, mount, item.originalname, params)
        found.patterns.update((framework.name, pattern) for pattern in reasons)
        for reason in set(reasons.values()):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
        found.add(item, framework, mount, *sorted(set(reasons.values())))
        kept.append(item)
    found.modules.update(item.path.name for item in items if here in item.path.parents)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish(session):
    # What is expected stands now, and it is strict: where it is wrong, the run that follows fails.
    if session.config.option.write_matrix:
        matrix.FILE.write_text(matrix.render(session.config.stash[matrix.FOUND], FRAMEWORKS), encoding="utf-8")

import importlib
import pkgutil

import conformance.apps
import pytest
from conformance.contract import Site
from conformance.logins import Logins

FRAMEWORKS = [
    importlib.import_module(f"conformance.apps.{module.name}").FRAMEWORK
    for module in pkgutil.iter_modules(conformance.apps.__path__)
]
MOUNTINGS = [
    pytest.param((framework, mount), id=f"{framework.name}-{mount}")
    for framework in FRAMEWORKS
    for mount in framework.mounts
]

USUAL = Logins()
BUILT = {}


class Mounting:
    """One framework, with the middleware inside of it or around it."""

    def __init__(self, framework, mount):
        self.framework = framework
        self.mount = mount
        self.site = None

    def app(self, *logins, mount=None, **settings):
        """Return the application for these logins; the newest one's `site` is kept.

        What only the usual logins need is built once: an application serves more than one request, and building
        one takes longer than most tests.
        """
        mount = mount or self.mount
        if logins != (USUAL,):
            return self._build(logins, mount, settings)[0]
        key = (self.framework.name, mount, repr(settings))
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
    return Mounting(framework, mount)


@pytest.fixture
def logins():
    USUAL.forget()
    return USUAL


@pytest.fixture
def app(mounting, logins):
    return mounting.app(logins)

import json
import shutil
from contextlib import ExitStack, contextmanager

import pytest
from browser.sites import blank_page, serving, site

from asgi_login import CookieTransport

# `localhost` is another site than 127.0.0.1; another port is another origin of the same site.
HOSTS = {"cross-site": "localhost", "same-site": "127.0.0.1"}
# Nothing that talks to anybody but the pages.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Some distributions turn third-party cookies off, and with them a cross-site websocket would prove nothing.
PREFERENCES = {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}
PATIENCE = 10_000


@pytest.fixture(scope="module")
def profile():
    """Return what opens a browser with the profile in a folder; two with one profile are one browser, restarted."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: uv sync --group browser")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium on the PATH: apt-get install chromium, as root on Debian")

    @contextmanager
    def opened(folder):
        preferences = folder / "Default" / "Preferences"
        if not preferences.exists():
            preferences.parent.mkdir(parents=True)
            preferences.write_text(json.dumps(PREFERENCES))
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=chromium, headless=True, args=FLAGS
        )
        context.set_default_timeout(PATIENCE)
        try:
            yield context
        finally:
            context.close()

    with sync_api.sync_playwright() as playwright:
        yield opened


@pytest.fixture(scope="module")
def running(profile, tmp_path_factory):
    with profile(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture
def browser(running):
    """Return a browser that nobody is logged in with."""
    running.clear_cookies()
    yield running
    for page in running.pages[1:]:
        page.close()


@pytest.fixture
def tab(browser):
    return browser.new_page()


@pytest.fixture(scope="module")
def attackers(profile):
    """Return the origins of the attacker, by how the browser calls them seen from the site."""
    with serving(blank_page) as port:
        yield {relation: f"http://{host}:{port}" for relation, host in HOSTS.items()}


@pytest.fixture(scope="module")
def address(profile, attackers, tmp_path_factory):
    """Return what starts the demo, once for each kind of cookie, and returns its address."""
    addresses = {}

    with ExitStack() as stack:

        def of(*, samesite="lax", trusted=False):
            if (samesite, trusted) not in addresses:
                cookie = CookieTransport(
                    "asgi-login-demo", samesite=samesite, trusted_origins=attackers.values() if trusted else ()
                )
                port = stack.enter_context(serving(site(tmp_path_factory.mktemp("site"), cookie)))
                addresses[samesite, trusted] = f"http://127.0.0.1:{port}"
            return addresses[samesite, trusted]

        yield of

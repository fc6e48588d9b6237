"""The list of devices in real browsers: two of them, logged in at two demos that share one Redis."""

from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from browser.people import log_in_at
from demo_process import ADA, redis_server, started


@pytest.fixture(scope="module")
def demos(profile, tmp_path_factory):
    """Return the addresses of two demos on two ports."""
    home = tmp_path_factory.mktemp("demos")
    with redis_server(home / "redis") as redis, ExitStack() as stack:
        yield [
            stack.enter_context(started(home / "folder", home / name, "--redis", redis.url)).address
            for name in ("one", "two")
        ]


@pytest.fixture
def tabs(profile, demos, tmp_path):
    """Return a tab of each of two browsers, of one user, who is logged in at a demo each."""
    with profile(tmp_path / "here") as here, profile(tmp_path / "there") as there:
        tabs = here.pages[0], there.pages[0]
        for tab, demo in zip(tabs, demos, strict=True):
            log_in_at(tab, demo, **ADA, remember=True)
            tab.goto(f"{demo}/devices")
        tabs[0].reload()
        yield tabs
        log_out(tabs[0])


def log_out(tab):
    tab.get_by_role("button", name="Log out", exact=True).click()
    tab.get_by_role("link", name="Log in").wait_for()


def devices(tab):
    return tab.locator(".devices li")


def click_on_devices(tab):
    """Click a link of the page that is open, and return the path of the page that comes."""
    with tab.expect_navigation():
        tab.get_by_role("link", name="Devices", exact=True).click()
    return urlsplit(tab.url).path


def test_a_device_logged_out_from_another_one_lands_on_the_login_page_at_its_next_click(tabs):
    here, there = tabs
    assert devices(here).count() == 2
    other = devices(here).filter(has_not_text="this browser")
    other.get_by_role("button", name="Log out").click()
    other.wait_for(state="detached")
    assert click_on_devices(there) == "/login"
    assert there.context.cookies() == []
    assert click_on_devices(here) == "/devices"


def test_a_logout_everywhere_else_keeps_this_browser(tabs):
    here, there = tabs
    assert devices(there).count() == devices(here).count() == 2
    with here.expect_navigation():
        here.get_by_role("button", name="Log out everywhere else").click()
    assert devices(here).count() == 1
    assert devices(here).get_by_text("this browser").is_visible()
    assert click_on_devices(there) == "/login"
    assert click_on_devices(here) == "/devices"

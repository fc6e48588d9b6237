"""Devices on which a user of the demo logs in, and what the demo's list says of them."""

import re
from contextlib import contextmanager
from html import unescape

from demo_process import ADA

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@contextmanager
def device(demo, agent, user=ADA, **more):
    """Return a browser that has logged in."""
    with demo.browser() as browser:
        browser.headers["User-Agent"] = agent
        assert browser.post("/login", data={**user, **more}).status_code == 303
        yield browser


def is_logged_in(browser):
    answer = browser.get("/asgi/me")
    assert answer.status_code == 200 or answer.headers["location"] == "/login?next=%2Fasgi%2Fme"
    return answer.status_code == 200


def rows(browser):
    """Return each row of the list: its name, what is said of this browser, and the session that its button ends."""
    answer = browser.get("/devices")
    assert answer.status_code == 200
    (listed,) = re.findall(r'<ul class="devices">(.*?)</ul>', answer.text, re.DOTALL)
    return [
        (unescape(name), this, session)
        for name, this, session in re.findall(
            r'<strong>(.*?)</strong> <span class="status open">(.*?)</span>.*?name="session" value="(.*?)"',
            listed,
            re.DOTALL,
        )
    ]


def row(browser, agent_says):
    (found,) = [one for one in rows(browser) if one[0] == agent_says]
    return found

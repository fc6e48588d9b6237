"""The page of the demo that refreshes an access token."""

import pytest
from demo_devices import FIREFOX, device
from demo_process import started


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo")
    with started(home / "folder", home / "log") as running:
        yield running


def test_the_access_token_of_the_page_is_refreshed_until_its_user_is_logged_out(demo):
    with device(demo, FIREFOX) as browser:
        assert 'href="/tokens"' in browser.get("/").text
        assert "Refresh now" in browser.get("/tokens").text
        assert browser.post("/tokens/refresh").status_code == 400
        first = browser.post("/tokens/start")
        assert "refresh_token" not in first.text
        assert "demo-refresh-token" in browser.cookies
        second = browser.post("/tokens/refresh")
        assert second.status_code == 200
        assert second.json()["access_token"] != first.json()["access_token"]
        with demo.client(headers={"Authorization": f"Bearer {second.json()['access_token']}"}) as page:
            assert page.get("/asgi/me").json()["user"] == "ada"
            browser.post("/logout-everywhere")
            assert page.get("/asgi/me").status_code == 401
        assert browser.post("/tokens/refresh").status_code == 400


def test_the_page_is_for_those_who_are_logged_in(demo):
    with demo.browser() as nobody:
        assert nobody.get("/tokens").headers["location"] == "/login?next=%2Ftokens"
        assert nobody.post("/tokens/start", headers={"Origin": "https://evil.example"}).status_code in {303, 401, 403}

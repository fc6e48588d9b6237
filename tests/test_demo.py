"""The demo, started as a person starts it, and spoken to over its socket."""

import os
import re
import shutil
import signal
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import pytest
from demo_process import ADA, BOB, COOKIE, ELSEWHERE, REMEMBER, refused_start, started

ME = {
    "/fastapi/me": "FastAPI",
    "/starlette/me": "Starlette",
    "/quart/me": "Quart",
    "/litestar/me": "Litestar",
    "/asgi/me": "plain ASGI",
}
PAGES = {
    "/fastapi/orders": "orders:read",
    "/starlette/reports": "reports:read",
    "/quart/stock": "stock:read",
    "/litestar/invoices": "invoices:read",
    "/asgi/audit": "audit:read",
}
SCOPES = set(PAGES.values())


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo")
    with started(home / "folder", home / "log") as running:
        yield running


def test_it_says_where_it_is_who_can_log_in_and_where_its_folder_is(demo):
    for said in (f"{demo.address}/fastapi/docs", *ADA.values(), *BOB.values(), *SCOPES, str(demo.folder)):
        assert said in demo.introduction


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl: apt-get install curl, brew install curl")
def test_the_four_lines_to_paste_do_what_they_say(demo):
    lines = [line for line in demo.introduction.splitlines() if line.startswith(("curl ", "TOKEN="))]
    assert len(lines) == 4
    pasted = subprocess.run(  # noqa: S603 - what the demo tells its user to paste
        ["/bin/sh", "-c", "\n".join(lines)],
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    nobody, user, missing = re.split(r"(?=^HTTP/1\.1 )", pasted.stdout, flags=re.MULTILINE)[1:]
    assert nobody.startswith("HTTP/1.1 401")
    assert '\nwww-authenticate: Bearer realm="demo"\n' in nobody
    assert user.startswith("HTTP/1.1 200")
    assert '"user":"bob"' in user
    assert missing.startswith("HTTP/1.1 403")
    assert 'error="insufficient_scope"' in missing
    assert 'scope="orders:read"' in missing
    assert pasted.stderr == ""


@pytest.mark.parametrize("path", [*ME, *PAGES])
def test_an_api_client_without_a_token_gets_a_challenge(demo, path):
    with demo.client() as client:
        answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="demo"'
    assert answer.json()["error"] == "unauthorized"


@pytest.mark.parametrize("path", PAGES)
def test_a_browser_is_sent_to_log_in_and_comes_back_to_the_page(demo, path):
    with demo.browser() as browser:
        sent = browser.get(f"{path}?page=2")
        assert sent.status_code == 303
        form = browser.get(sent.headers["location"])
        assert form.status_code == 200
        hidden = re.search(r'name="next" value="([^"]*)"', form.text)[1]
        logged_in = browser.post("/login", data={**ADA, "next": hidden})
        assert logged_in.status_code == 303
        assert logged_in.headers["location"] == f"{path}?page=2"
        shown = browser.get(logged_in.headers["location"])
        assert shown.status_code == 200
        assert shown.headers["content-type"].startswith("text/html")
        assert f"<code>{PAGES[path]}</code>" in shown.text
        for term, said in {"user": "ada", "scopes": ", ".join(sorted(SCOPES)), "fresh": "yes"}.items():
            assert f"<dt>{term}</dt><dd>{said}</dd>" in shown.text


@pytest.mark.parametrize(("user", "scopes"), [(ADA, SCOPES), (BOB, set())])
def test_each_application_tells_the_same_user_by_token_and_by_cookie(demo, user, scopes):
    name = user["username"]
    authorization = {"Authorization": f"Bearer {demo.token(**user)}"}
    with demo.client(headers=authorization) as client, demo.browser(**user) as browser:
        # An access token does not say when its user typed a password, so it is never fresh.
        for one, is_fresh in ((client, False), (browser, True)):
            for path, app in ME.items():
                who = {"app": app, "user": name, "scopes": sorted(scopes), "fresh": is_fresh}
                assert one.get(path).json() == who


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_shut_to_a_user_without_its_scope(demo, path):
    with demo.browser(**BOB) as browser:
        answer = browser.get(path)
    assert answer.status_code == 403
    assert f'scope="{PAGES[path]}"' in answer.headers["www-authenticate"]


def test_a_token_has_no_more_scopes_than_were_asked_for(demo):
    token = demo.token(**ADA, scope="orders:read")
    with demo.client(headers={"Authorization": f"Bearer {token}"}) as client:
        statuses = {path: client.get(path).status_code for path in PAGES}
    assert statuses == {path: 200 if scope == "orders:read" else 403 for path, scope in PAGES.items()}


@pytest.mark.parametrize(
    ("user", "asked", "granted"),
    [
        (ADA, None, SCOPES),
        (ADA, "", SCOPES),
        (ADA, "audit:read orders:read", {"audit:read", "orders:read"}),
        (ADA, "audit:read everything", {"audit:read"}),
        (ADA, "everything", set()),
        (BOB, None, set()),
        (BOB, "orders:read", set()),
    ],
)
def test_a_token_grants_what_its_user_has_of_what_was_asked_for(demo, user, asked, granted):
    form = {"grant_type": "password", **user} | ({} if asked is None else {"scope": asked})
    with demo.client() as client:
        answer = client.post("/token", data=form)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    content = answer.json()
    assert content.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (content["token_type"], content["expires_in"]) == ("bearer", 900)
    assert content["scope"] == " ".join(sorted(granted))


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password", "username": "ada", "password": "wrong"}, "invalid_grant"),
        ({"grant_type": "password", "username": "nobody", "password": "wrong"}, "invalid_grant"),
        ({"grant_type": "password", "username": "ada' OR '1'='1", "password": "wrong"}, "invalid_grant"),
        ({"grant_type": "client_credentials", **ADA}, "unsupported_grant_type"),
        (ADA, "invalid_request"),
        ({"grant_type": "password", "username": "ada"}, "invalid_request"),
        ({"grant_type": "password", "username": ["ada", "bob"], "password": "can-we-fix-it"}, "invalid_request"),
        ({}, "invalid_request"),
    ],
)
def test_the_token_endpoint_refuses_with_the_code_of_the_rfc(demo, form, error):
    with demo.client() as client:
        answer = client.post("/token", data=form)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.headers["cache-control"] == "no-store"


def test_the_token_endpoint_takes_forms_only(demo):
    with demo.client() as client:
        for body in ({"json": {"grant_type": "password", **ADA}}, {"files": {"username": b"ada"}}):
            answer = client.post("/token", **body)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_an_unknown_name_takes_as_long_as_a_wrong_password(demo):
    def fastest(username):
        durations = []
        for _ in range(3):
            begin = time.perf_counter()
            client.post("/token", data={"grant_type": "password", "username": username, "password": "wrong"})
            durations.append(time.perf_counter() - begin)
        return min(durations)

    with demo.client() as client:
        known, unknown = fastest("ada"), fastest("nobody")
    # Without a hash to verify, the answer takes a tenth of it.
    assert unknown > known / 2


def test_the_login_sets_a_cookie_that_no_script_can_read(demo):
    with demo.browser() as browser:
        answer = browser.post("/login", data=ADA)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"] == "/"
    session, remembered = sorted(answer.headers.get_list("set-cookie"))
    cookie, *attributes = session.split("; ")
    assert cookie.startswith(f"{COOKIE}=ey")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Lax"}
    # That of whoever logged in here before.
    assert remembered.startswith(f"{REMEMBER}=; Max-Age=0;")


def test_the_box_on_the_login_page_lets_the_login_outlive_its_session(demo):
    with demo.browser() as browser:
        assert '<input type="checkbox" name="remember">' in browser.get("/login").text
        answer = browser.post("/login", data={**ADA, "remember": "on"})
        _, remembered = sorted(answer.headers.get_list("set-cookie"))
        assert {"HttpOnly", "SameSite=Lax"} <= set(remembered.split("; "))
        # The token ends on a whole second, and the cookie not after it.
        assert not {"Max-Age=2592000", "Max-Age=2591999"}.isdisjoint(remembered.split("; "))
        old = browser.cookies[COOKIE]
        browser.cookies.delete(COOKIE)
        me = browser.get("/quart/me")
        assert me.json() == {"app": "Quart", "user": "ada", "scopes": sorted(SCOPES), "fresh": False}
        assert browser.cookies[COOKIE] != old
        assert "<dt>remembered</dt><dd>yes</dd>" in browser.get("/").text


def test_a_restored_login_must_type_the_password_again_for_the_account_page(demo):
    with demo.browser() as browser:
        browser.post("/login", data={**ADA, "remember": "on"})
        assert browser.get("/account").status_code == 200
        browser.cookies.delete(COOKIE)
        sent = browser.get("/account?tab=1")
        assert (sent.status_code, sent.headers["location"]) == (303, "/confirm?next=%2Faccount%3Ftab%3D1")
        form = browser.get(sent.headers["location"])
        assert "Password of ada" in form.text
        hidden = re.search(r'name="next" value="([^"]*)"', form.text)[1]
        wrong = browser.post("/confirm", data={"password": "wrong", "next": hidden})
        assert wrong.status_code == 400
        assert "The password is wrong." in wrong.text
        assert f'name="next" value="{hidden}"' in wrong.text
        assert browser.get("/account").status_code == 303
        confirmed = browser.post("/confirm", data={"password": ADA["password"], "next": hidden})
        assert (confirmed.status_code, confirmed.headers["location"]) == (303, "/account?tab=1")
        assert browser.get("/account").status_code == 200
        assert browser.get("/litestar/me").json()["fresh"] is True


def test_nobody_can_confirm_a_login_that_there_is_not(demo):
    with demo.browser() as browser:
        assert browser.get("/confirm").headers["location"] == "/login?next=%2Fconfirm"
        password = {"password": ADA["password"]}
        assert browser.post("/confirm", data=password).headers["location"] == "/login?next=%2F"
        assert browser.post("/confirm", data=password, headers={"Accept": "*/*"}).status_code == 401
    with demo.client(headers={"Authorization": f"Bearer {demo.token(**ADA)}"}) as client:
        answer = client.post("/confirm", data={"password": ADA["password"]})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert "set-cookie" not in answer.headers
        account = client.get("/account")
    assert account.status_code == 401
    assert 'error="insufficient_user_authentication"' in account.headers["www-authenticate"]


def test_logging_out_everywhere_ends_the_logins_of_that_user_in_all_browsers(demo):
    with demo.browser() as here, demo.browser() as there, demo.browser(**ADA) as ada:
        for browser in (here, there):
            browser.post("/login", data={**BOB, "remember": "on"})
            assert browser.get("/asgi/me").json()["user"] == "bob"
        copies, token = dict(here.cookies), demo.token(**BOB)
        answer = here.post("/logout-everywhere")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert not here.cookies
        assert there.get("/asgi/me").headers["location"] == "/login?next=%2Fasgi%2Fme"
        assert not there.cookies
        for name in (COOKIE, REMEMBER):
            there.cookies.set(name, copies[name])
            assert there.get("/asgi/me").status_code == 303
            there.cookies.clear()
        api_client = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        assert there.get("/asgi/me", headers=api_client).status_code == 401
        assert ada.get("/asgi/me").json()["user"] == "ada"
        assert there.post("/logout-everywhere").headers["location"] == "/login?next=%2F"
        assert there.post("/login", data=BOB).status_code == 303
        assert there.get("/asgi/me").json()["user"] == "bob"
    demo.forget_logins()


def test_a_wrong_password_sets_no_cookie_and_keeps_the_way_back(demo):
    with demo.browser() as browser:
        answer = browser.post("/login", data={**ADA, "password": "wrong", "next": "/asgi/audit"})
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers
    assert "The name or the password is wrong." in answer.text
    assert 'name="next" value="/asgi/audit"' in answer.text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil.example", "/\t/evil.example"])
def test_a_login_never_leads_to_another_site(demo, target):
    with demo.browser() as browser:
        form = browser.get("/login", params={"next": target})
        assert 'name="next" value="/"' in form.text
        assert browser.post("/login", data={**ADA, "next": target}).headers["location"] == "/"


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_another_site_can_log_nobody_in(demo, headers):
    with demo.browser() as browser:
        answer = browser.post("/login", data=BOB, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", ELSEWHERE)
@pytest.mark.parametrize("cookie_goes_along", [True, False])
def test_another_site_can_log_nobody_out(demo, headers, cookie_goes_along):
    with demo.browser(**(ADA if cookie_goes_along else {})) as browser:
        answer = browser.post("/logout", headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_another_site_can_confirm_no_login_and_log_out_nobody_everywhere(demo, headers):
    with demo.browser(**ADA) as browser:
        for path in ("/confirm", "/logout-everywhere"):
            answer = browser.post(path, data={"password": ADA["password"]}, headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers
        assert browser.get("/asgi/me").status_code == 200


def test_the_page_of_the_site_itself_can_log_in_and_out(demo):
    own = {"Sec-Fetch-Site": "same-origin", "Origin": demo.address}
    with demo.browser() as browser:
        assert browser.post("/login", data=ADA, headers=own).status_code == 303
        assert '<form class="account" method="post" action="/logout">' in browser.get("/").text
        logged_out = browser.post("/logout", headers=own)
        assert (logged_out.status_code, logged_out.headers["location"]) == (303, "/")
        assert COOKIE not in browser.cookies
        assert 'href="/login"' in browser.get("/").text
        assert browser.get("/asgi/me").status_code == 303


def test_a_link_cannot_log_out(demo):
    with demo.browser(**ADA) as browser:
        assert browser.get("/logout").status_code == 405
        assert browser.get("/asgi/me").status_code == 200


def test_a_bad_cookie_leaves_the_page_open_and_says_so(demo):
    with demo.browser() as browser:
        browser.cookies.set(COOKIE, "broken")
        home = browser.get("/")
    assert home.status_code == 200
    assert "The token is invalid." in home.text
    assert home.headers["vary"] == "Cookie"


def test_what_a_visitor_types_comes_back_escaped(demo):
    typed = "\"'><script>alert(1)</script>"
    with demo.browser() as browser:
        answer = browser.post("/login", data={"username": typed, "password": "x", "next": f"/{typed}"})
    assert "<script>alert" not in answer.text
    # The name, why the page is shown, and the way back in three forms.
    assert answer.text.count("&quot;&#x27;&gt;&lt;script&gt;alert(1)&lt;/script&gt;") == 5


@pytest.mark.parametrize("path", ["/", "/login", "/confirm", "/account", "/devices", *PAGES])
def test_pages_run_no_scripts_but_the_demo_s_own(demo, path):
    with demo.browser(**ADA) as browser:
        answer = browser.get(path)
        for own in re.findall(r'(?:src|href)="(/static/[^"]*)"', answer.text):
            assert browser.get(own).status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert re.findall(r"<script[^>]*>.*?</script>", answer.text, re.DOTALL) == [
        '<script type="module" src="/static/home.js"></script>'
    ]
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", answer.text)
    assert answer.headers["cache-control"] == "no-store"


def test_the_authorize_button_posts_to_the_token_endpoint(demo):
    with demo.client() as client:
        docs = client.get("/fastapi/docs")
        assert docs.status_code == 200
        schema_url = urljoin(str(docs.url), re.search(r'data-url="([^"]+)"', docs.text)[1])
        schema = client.get(schema_url).json()
        (flow,) = [
            scheme["flows"]["password"]
            for scheme in schema["components"]["securitySchemes"].values()
            if scheme["type"] == "oauth2"
        ]
        assert flow["scopes"].keys() == SCOPES
        server = urljoin(str(docs.url), schema["servers"][0]["url"])
        # Swagger UI resolves it against the page where the schema names a server without a host.
        token = client.post(urljoin(str(docs.url), flow["tokenUrl"]), data={"grant_type": "password", **ADA}).json()
        authorization = {"Authorization": f"Bearer {token['access_token']}"}
        assert client.get(f"{server}/orders", headers=authorization).status_code == 200


def test_the_log_tells_why_and_holds_no_token(demo):
    token = demo.token(**BOB)
    with demo.client(headers={"Authorization": f"Bearer {token[:-4]}AAAA"}) as client:
        assert client.get("/starlette/me").status_code == 401
    with demo.browser() as browser:
        assert browser.post("/login", data=BOB, headers=ELSEWHERE[0]).status_code == 403
    log = demo.log.read_text()
    assert "InvalidToken from bearer refused by demo" in log
    assert "login or logout refused by demo: cross_origin: Sec-Fetch-Site is not same-origin" in log
    assert token.rpartition(".")[0] not in log
    assert "Traceback" not in log


def test_a_plain_asgi_application_answers_for_itself(demo):
    with demo.client() as client:
        assert client.get("/asgi/nothing").status_code == 404
        refused = client.post("/asgi/me")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_a_taken_port_is_one_clear_sentence(demo, tmp_path):
    port = demo.address.rpartition(":")[2]
    answer = refused_start(tmp_path / "folder", port)
    assert (answer.returncode, answer.stdout) == (1, "")
    (sentence,) = answer.stderr.splitlines()
    assert sentence.startswith(f"Port {port} is taken")
    assert "PORT=" in sentence
    assert not (tmp_path / "folder").exists()


def test_a_weak_key_is_one_clear_sentence(tmp_path):
    (tmp_path / "key").write_text("short")
    answer = refused_start(tmp_path, 0)
    assert answer.returncode == 1
    (sentence,) = answer.stderr.splitlines()
    assert "at least 32 bytes" in sentence


def test_it_starts_again_with_the_same_key_and_ends_cleanly_on_both_signals(demo, tmp_path):
    headers = {"Authorization": f"Bearer {demo.token(**ADA)}"}

    def start_and_end(ending):
        with started(demo.folder, tmp_path / ending.name) as again:
            # A connection that stays open must not keep it from ending.
            with again.client() as client:
                assert client.get("/asgi/me", headers=headers).json()["user"] == "ada"
                assert client.get("/").status_code == 200
                again.process.send_signal(ending)
                assert again.process.wait(10) == 0
            assert again.log.read_text() == ""

    with ThreadPoolExecutor() as both:
        assert list(both.map(start_and_end, [signal.SIGINT, signal.SIGTERM])) == [None, None]
    if os.name == "posix":
        assert stat.S_IMODE((demo.folder / "key").stat().st_mode) == 0o600
    assert sorted(path.name for path in demo.folder.iterdir()) == ["key", "users.db"]

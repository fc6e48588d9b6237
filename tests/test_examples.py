"""Starts every example with uvicorn, as its docstring says, and talks to it over the network."""

import os
import re
import runpy
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

ROOT = Path(__file__).parents[1]
# Those that check passwords; tests/issuers and tests/mcp_servers have those that leave this to others.
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*_app.py"))
COOKIE = "__Host-access-token"
REMEMBER_COOKIE = "__Host-default-remember-token"
TOKEN = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
ADA = ("ada", "correct horse", "orders:read")
BOB = ("bob", "battery staple")
ADAS_FORM = dict(zip(("username", "password"), ADA, strict=False))


@contextmanager
def uvicorn_serves(applications: list[str]) -> Iterator[list["subprocess.Popen[str]"]]:
    """Run a server for each application, all at once."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "SECRET": secrets.token_urlsafe(48),
    }
    with ExitStack() as stack:
        servers = []
        for application in applications:
            command = [sys.executable, "-m", "uvicorn", application, "--port", "0", "--no-access-log"]
            server = subprocess.Popen(  # noqa: S603 - our own command
                command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
            )
            servers.append(stack.enter_context(server))
        try:
            yield servers
        finally:
            for server in servers:
                server.terminate()


def address(server: "subprocess.Popen[str]") -> str:
    """Read uvicorn's log until it says where it listens; the end of the log means that it died."""
    log = []
    for line in server.stderr:
        log.append(line)
        if found := re.search(r"running on (http://127\.0\.0\.1:[0-9]+)", line):
            return found[1]
    raise AssertionError("".join(log))


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, httpx.Client]]:
    with uvicorn_serves([f"examples.{name}:app" for name in EXAMPLES]) as servers, ExitStack() as stack:
        yield {
            name: stack.enter_context(httpx.Client(base_url=address(server), trust_env=False))
            for name, server in zip(EXAMPLES, servers, strict=True)
        }


@pytest.fixture(params=EXAMPLES)
def client(clients, request) -> httpx.Client:
    clients[request.param].cookies.clear()
    return clients[request.param]


@cache
def access_token(client: httpx.Client, name: str, password: str, scope: str = "") -> str:
    response = client.post("/token", data={"username": name, "password": password, "scope": scope})
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["token_type"] == "bearer"
    return response.json()["access_token"]


@cache
def cookie_lines(client: httpx.Client, name: str, password: str, **more: str) -> dict[str, str]:
    """Log in, and return the Set-Cookie lines by the cookie's name."""
    response = client.post("/login", data={"username": name, "password": password, "scope": "orders:read", **more})
    assert response.status_code in {200, 204, 303}
    assert response.headers["cache-control"] == "no-store"
    client.cookies.clear()
    return by_name(response)


def by_name(response: httpx.Response) -> dict[str, str]:
    lines = response.headers.get_list("set-cookie")
    found = {line.partition("=")[0]: line for line in lines}
    assert len(found) == len(lines)
    return found


def bearer(client: httpx.Client, credentials: tuple[str, ...]) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token(client, *credentials)}"}


def cookie(client: httpx.Client, credentials: tuple[str, ...]) -> dict[str, str]:
    """Return the header by hand: httpx, unlike browsers, sends no Secure cookie to 127.0.0.1."""
    return {"Cookie": cookie_lines(client, *credentials[:2])[COOKIE].partition(";")[0]}


def test_there_is_an_example_for_plain_asgi_and_for_each_adapter():
    assert EXAMPLES == ["fastapi_app", "litestar_app", "quart_app", "raw_asgi_app", "starlette_app"]


def test_the_public_page_is_open_to_everybody_a_bad_token_included(client):
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"Authorization": "Bearer bad"}).status_code == 200


def test_the_public_page_knows_who_is_logged_in(client):
    assert "ada" in client.get("/", headers=bearer(client, ADA)).text
    assert "ada" not in client.get("/").text


def test_a_private_page_is_refused_without_a_token(client):
    response = client.get("/me")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="api"'
    assert response.json() == {"error": "unauthorized", "error_description": "Authentication is required"}


def test_a_private_page_is_refused_with_a_bad_token(client):
    response = client.get("/me", headers={"Authorization": "Bearer bad"})
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


def test_a_private_page_is_shown_with_a_token(client):
    response = client.get("/me", headers=bearer(client, BOB))
    assert response.status_code == 200
    assert "bob" in response.text


def test_a_page_that_needs_a_scope_is_refused_without_it(client):
    response = client.get("/orders", headers=bearer(client, BOB))
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
    assert 'scope="orders:read"' in response.headers["www-authenticate"]


def test_a_page_that_needs_a_scope_is_shown_with_it(client):
    response = client.get("/orders", headers=bearer(client, ADA))
    assert response.status_code == 200
    assert response.json() == {"orders of": "ada"}


def test_nobody_gets_a_scope_by_asking_for_it(client):
    headers = bearer(client, (*BOB, "orders:read"))
    assert client.get("/orders", headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/token", "/login"])
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(client, path):
    wrong = client.post(path, data={**ADAS_FORM, "password": "wrong"})
    unknown = client.post(path, data={"username": "nobody", "password": "nobody"})
    assert wrong.status_code in {400, 401}
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)
    assert "set-cookie" not in wrong.headers
    assert "set-cookie" not in unknown.headers


def test_the_login_cookie_keeps_what_its_name_promises(client):
    pair, *attributes = cookie_lines(client, *ADA[:2])[COOKIE].split("; ")
    assert re.fullmatch(f"{COOKIE}={TOKEN}", pair)
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]


def test_the_login_cookie_opens_the_private_page(client):
    response = client.get("/me", headers=cookie(client, ADA))
    assert response.status_code == 200
    assert "ada" in response.text
    assert "Cookie" in response.headers["vary"]


def test_the_header_comes_before_the_cookie(client):
    response = client.get("/me", headers=cookie(client, ADA) | bearer(client, BOB))
    assert "bob" in response.text
    assert "ada" not in response.text


def test_logging_out_deletes_the_cookies(client):
    response = client.post("/logout", headers=cookie(client, ADA))
    assert response.status_code in {200, 204, 303}
    assert by_name(response).keys() == {COOKIE, REMEMBER_COOKIE}
    assert all(line.startswith(f"{name}=; Max-Age=0; ") for name, line in by_name(response).items())
    assert "Cookie" in response.headers["vary"]


def test_who_does_not_ask_to_be_remembered_is_not(client):
    assert cookie_lines(client, *ADA[:2])[REMEMBER_COOKIE].startswith(f"{REMEMBER_COOKIE}=; Max-Age=0; ")


@pytest.mark.parametrize("name", ["quart_app", "starlette_app"])
def test_a_remembered_login_comes_back_without_the_session(clients, name):
    client = clients[name]
    line = cookie_lines(client, *ADA[:2], remember="on")[REMEMBER_COOKIE]
    assert re.match(f"{REMEMBER_COOKIE}={TOKEN}; Max-Age=(?:2592000|2591999); ", line)
    response = client.get("/me", headers={"Cookie": line.partition(";")[0]})
    assert response.status_code == 200
    assert "ada" in response.text
    assert re.match(f"{COOKIE}={TOKEN}; ", by_name(response)[COOKIE])


def test_logging_out_needs_no_login_that_is_still_good(client):
    for headers in ({}, {"Cookie": f"{COOKIE}=a.b.c"}):
        response = client.post("/logout", headers=headers)
        assert response.status_code in {200, 204, 303}
        assert by_name(response).keys() == {COOKIE, REMEMBER_COOKIE}


def test_another_site_can_neither_log_out_nor_log_in_the_user(client):
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    logout = client.post("/logout", headers=cookie(client, ADA) | elsewhere)
    assert logout.status_code == 403
    login = client.post("/login", data=ADAS_FORM, headers=elsewhere)
    assert login.status_code == 403
    assert "set-cookie" not in logout.headers
    assert "set-cookie" not in login.headers


@pytest.mark.parametrize("name", ["quart_app", "starlette_app"])
def test_an_example_with_a_login_page_sends_a_browser_there_and_back(clients, name):
    client = clients[name]
    sent = client.get("/me?tab=1", headers={"Accept": "text/html"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fme%3Ftab%3D1")
    assert "<form method=post>" in client.get(sent.headers["location"]).text
    back = client.post(sent.headers["location"], data=ADAS_FORM)
    assert (back.status_code, back.headers["location"]) == (303, "/me?tab=1")


@pytest.mark.parametrize("name", ["quart_app", "starlette_app"])
@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_an_example_with_a_login_page_never_sends_a_browser_to_another_site(clients, name, target):
    response = clients[name].post("/login", params={"next": target}, data=ADAS_FORM)
    assert (response.status_code, response.headers["location"]) == (303, "/")


@pytest.mark.parametrize(("name", "path"), [("fastapi_app", "/openapi.json"), ("litestar_app", "/schema/openapi.json")])
def test_an_api_example_describes_its_logins_in_openapi(clients, name, path):
    schema = clients[name].get(path).json()
    schemes = schema["components"]["securitySchemes"].values()
    assert {scheme["type"] for scheme in schemes} == {"oauth2", "apiKey"}
    assert {"401", "403"} <= schema["paths"]["/orders"]["get"]["responses"].keys()


@pytest.mark.parametrize("name", ["fastapi_app", "litestar_app", "quart_app", "starlette_app"])
def test_an_example_that_needs_a_secret_does_not_start_without_one(monkeypatch, name):
    monkeypatch.delenv("SECRET", raising=False)
    with pytest.raises(ValueError, match=r"the environment variable .* like SECRET\? make one with: python -c"):
        runpy.run_path(str(ROOT / "examples" / f"{name}.py"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_run_as_a_file_an_example_serves_on_this_machine_only(monkeypatch, name):
    served = []
    monkeypatch.setenv("SECRET", secrets.token_urlsafe(48))
    monkeypatch.setattr(uvicorn, "run", lambda app, *, host, port: served.append((app, host, port)))
    module = runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    assert served == [(module["app"], "127.0.0.1", 8000)]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_commands_in_an_examples_docstring_name_the_example(name):
    docstring = (ROOT / "examples" / f"{name}.py").read_text().split('"""')[1]
    assert f"uvicorn examples.{name}:app" in docstring
    assert {urlsplit(url).netloc for url in re.findall(r"http://\S+", docstring)} <= {"127.0.0.1:8000"}

"""Requests to real servers: who is let in, what the client reads, and that nobody is taken for another."""

import json
import shutil
import subprocess
from functools import cache

import anyio
import httpx
import pytest
from servers.running import request
from servers.served import COOKIE

NOBODY = 'Bearer realm="api"'
BAD = "Authorization", "Bearer nonsense"
PRIVATE = ["/private", "/gate", "/broken", "/starlette/private", "/scoped", "/gate/scoped", "/starlette/scoped"]
SCOPED = ["/scoped", "/gate/scoped", "/starlette/scoped"]
CONNECTIONS = 4
BATCH = 10
STREAMS = 50
HTTP2 = "HTTP/2"


@pytest.mark.parametrize("path", PRIVATE)
def test_a_view_behind_a_gate_is_closed_to_a_request_without_a_credential(client, path):
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == [NOBODY]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error"] == "unauthorized"


@pytest.mark.parametrize("path", PRIVATE)
def test_a_bad_token_is_called_invalid(client, path):
    answer = client.get(path, headers=[BAD])
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.json()["error"] == "invalid_token"


@pytest.mark.parametrize("path", SCOPED)
def test_a_missing_scope_is_a_403_that_names_it(client, token, path):
    answer = client.get(path, headers=[token("ada", "write")])
    assert answer.status_code == 403
    assert 'error="insufficient_scope", ' in answer.headers["www-authenticate"]
    assert 'scope="read"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/who", "/thread", *PRIVATE])
def test_who_holds_a_token_is_let_in_and_known(client, token, path):
    answer = client.get(path, headers=[token("ada", "read")])
    assert answer.status_code == 200
    assert (answer.json()["user"], answer.json()["context"]) == ("ada", "ada")


@pytest.mark.parametrize("path", ["/private", "/gate"])
def test_two_authorization_lines_are_a_400(client, token, path):
    answer = client.get(path, headers=[token("ada"), token("grace")])
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]
    assert client.get("/who", headers=[token("ada"), token("grace")]).json()["user"] is None


def test_a_refused_head_request_has_no_body(client):
    answer = client.head("/private")
    assert (answer.status_code, answer.content) == (401, b"")
    assert client.get("/who").status_code == 200


def test_a_login_sets_cookies_that_log_in_until_the_logout(client):
    answer = client.post("/login", params={"user": "ada"})
    names = [line.partition("=")[0] for line in answer.headers.get_list("set-cookie")]
    assert sorted(names) == sorted([COOKIE, "default-remember-token", "theme"])
    assert answer.headers["cache-control"] == "no-store"
    page = client.get("/private")
    assert (page.json()["user"], page.json()["transport"]) == ("ada", "cookie")
    assert "cookie" in page.headers["vary"].lower()
    assert client.post("/logout").status_code == 200
    assert sorted(client.cookies) == ["theme"]
    assert client.get("/private").status_code == 401


def test_the_remember_cookie_restores_a_login(client):
    client.post("/login", params={"user": "ada"})
    client.cookies.delete(COOKIE)
    answer = client.get("/private")
    assert answer.json()["user"] == "ada"
    assert COOKIE in answer.cookies


def test_a_session_cookie_counts_on_either_of_two_cookie_lines(client):
    session = f"{COOKIE}={client.post('/login', params={'user': 'ada'}).cookies[COOKIE]}"
    client.cookies.clear()
    for lines in [session, "theme=dark"], ["theme=dark", session]:
        answer = client.get("/private", headers=[("Cookie", line) for line in lines])
        assert (answer.status_code, answer.json()["user"]) == (200, "ada")


def test_two_different_session_cookies_on_two_lines_are_nobody(client):
    lines = []
    for user in "ada", "grace":
        lines.append(f"{COOKIE}={client.post('/login', params={'user': user}).cookies[COOKIE]}")
        client.cookies.clear()
    answer = client.get("/who", headers=[("Cookie", line) for line in lines])
    assert (answer.json()["user"], answer.json()["context"]) == (None, None)


def test_a_cookie_is_taken_from_a_page_of_this_site_only(server, client, open_client):
    client.post("/login", params={"user": "ada"})
    assert client.post("/who", headers={"Origin": server.origin}).json()["user"] == "ada"
    for path in "/who", "/logout", "/gate":
        with open_client() as other:
            other.cookies = client.cookies
            refused = other.post(path, headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403
        assert "www-authenticate" not in refused.headers
        assert "set-cookie" not in refused.headers
    assert client.get("/private").json()["user"] == "ada"


def test_a_login_from_another_site_is_refused(open_client):
    with open_client() as client:
        refused = client.post("/login", params={"user": "ada"}, headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403
        assert not client.cookies


def test_the_protocol_is_the_one_that_was_asked_for(client, version):
    answer = client.get("/who")
    assert answer.http_version == version
    assert answer.json()["http_version"] in version


def test_the_state_of_the_lifespan_reaches_the_requests_and_holds_no_user(client, token):
    described = client.get("/who", headers=[token("ada")]).json()
    assert described["lifespan_state"] == ([] if described["from_lifespan"] is None else ["from_lifespan"])


def test_on_a_unix_socket_there_is_no_client_address(unix):
    with unix.client() as client:
        assert client.get("/who").json()["client"] in (None, ["", 0], ["", "0"], ["", None])


@pytest.mark.parametrize("path", PRIVATE)
def test_a_refusal_leaves_the_connection_open(server, token, path):
    with server.wire() as wire:
        for _ in range(3):
            wire.write(request(path))
            assert wire.read().status == 401
            wire.write(request(path, token("ada", "read")))
            assert wire.read().json()["user"] == "ada"


def test_a_refused_upload_is_answered(server, token):
    with server.wire() as wire:
        wire.write(request("/private", method="POST", body=b"x" * 10_000))
        assert wire.read().status == 401


@cache
def users(count, token):
    return [(f"user{i}", token(f"user{i}")) for i in range(count)]


def expected_answers(count, token):
    """Return path, headers and user of requests by many users, with requests of nobody in between."""
    for i, (user, header) in enumerate(users(count, token)):
        yield ("/thread", "/private", "/who", "/who")[i % 4], [header], user
        if i % 3 == 0:
            yield "/who", [BAD] if i % 2 else [], None


def identities(described):
    return [described[key] for key in ("user", "context", "before") if key in described]


def test_a_thousand_users_on_few_connections_are_never_taken_for_each_other(server, token):
    exchanges = list(expected_answers(1_000, token))
    with server.wire() as one, server.wire() as two, server.wire() as three, server.wire() as four:
        wires = [one, two, three, four]
        for first in range(0, len(exchanges), BATCH * CONNECTIONS):
            batch = exchanges[first : first + BATCH * CONNECTIONS]
            for number, wire in enumerate(wires):
                wire.write(*(request(path, *headers) for path, headers, _ in batch[number * BATCH :][:BATCH]))
            for number, wire in enumerate(wires):
                for _, _, user in batch[number * BATCH :][:BATCH]:
                    answer = wire.read()
                    assert answer.status == 200
                    assert identities(answer.json()) == [user] * 3


def test_a_thousand_users_on_few_http2_connections_are_never_taken_for_each_other(http2, token):
    async def ask(client, path, headers, user, right):
        answer = await client.get(path, headers=headers)
        assert (answer.http_version, identities(answer.json())) == (HTTP2, [user] * 3)
        right.append(user)

    async def use_connection(exchanges, right):
        async with http2.async_client(http2=True) as client:
            for first in range(0, len(exchanges), STREAMS):
                async with anyio.create_task_group() as group:
                    for exchange in exchanges[first : first + STREAMS]:
                        group.start_soon(ask, client, *exchange, right)

    async def main():
        right = []
        exchanges = list(expected_answers(1_000, token))
        async with anyio.create_task_group() as group:
            for number in range(CONNECTIONS):
                group.start_soon(use_connection, exchanges[number::CONNECTIONS], right)
        return right

    assert len(anyio.run(main)) == 1_334


@pytest.fixture
def curl(server, version, tmp_path):
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl not installed: apt-get install curl, or https://curl.se/download.html")
    about = subprocess.run([program, "--version"], capture_output=True, check=True, text=True).stdout  # noqa: S603
    if version == HTTP2 and "HTTP2" not in about:
        pytest.skip("curl lacks HTTP/2: install one whose `curl --version` lists it, https://curl.se/download.html")
    way = ["--http2-prior-knowledge" if version == HTTP2 else "--http1.1"]
    way += ["--unix-socket", server.place.path] if server.kind.unix else []
    way += ["--cacert", server.place.certificate] if server.kind.tls else []

    def run(path, *arguments):
        command = [program, "--silent", "--show-error", "--noproxy", "*", "--max-time", "30", *way]
        command += ["--write-out", "\n%{http_code} %header{www-authenticate}", *arguments, server.origin + path]
        output = subprocess.run(command, capture_output=True, check=True, text=True, cwd=tmp_path).stdout  # noqa: S603
        body, _, end = output.rpartition("\n")
        status, _, challenge = end.partition(" ")
        return int(status), challenge, json.loads(body)

    return run


def test_curl_reads_what_any_client_reads(curl, token):
    line = ": ".join(token("ada"))
    assert curl("/private")[:2] == (401, NOBODY)
    assert curl("/private", "--header", line)[2]["user"] == "ada"
    assert curl("/scoped", "--header", line)[0] == 403
    assert curl("/private", "--header", line, "--header", line)[0] == 400


def test_curl_keeps_the_cookie_of_a_login(curl):
    jar = "--cookie", "jar", "--cookie-jar", "jar"
    assert curl("/login?user=ada", *jar, "--request", "POST")[0] == 200
    assert curl("/private", *jar)[2]["user"] == "ada"


def test_refusals_are_no_errors_in_the_log_of_the_server(server):
    before = len(server.log.read_text())
    with server.client() as client:
        for path in PRIVATE:
            assert client.get(path).status_code == 401
        assert client.get("/who").status_code == 200
    assert "Traceback" not in server.log.read_text()[before:]


def test_a_stream_whose_user_is_gone_midway_is_broken_off_without_a_traceback(server, open_client, version, token):
    if "end of half a response" in server.kind.lacks or (server.kind.name.startswith("hypercorn") and version == HTTP2):
        pytest.skip("this server does not tell its client that a response has ended early, whatever the application")
    before = len(server.log.read_text())
    with open_client() as client, client.stream("GET", "/stream") as answer:
        chunks = answer.iter_raw()
        assert next(chunks) == b"data: 1\n\n"
        with pytest.raises(httpx.RemoteProtocolError):
            next(chunks)
    with open_client() as client:
        assert client.get("/stream", headers=[token("ada")]).content == b"data: 1\n\ndata: 2\n\n"
    assert "Traceback" not in server.log.read_text()[before:]

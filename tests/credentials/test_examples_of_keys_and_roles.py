"""The examples of API keys and of roles, served by uvicorn, as their docstrings say."""

import json
import os
import re
import runpy
import secrets
import shlex
import subprocess
from contextlib import ExitStack

import httpx
import pytest
import uvicorn
from test_examples import ADA, BOB, COOKIE, ROOT, address, by_name, uvicorn_serves

EXAMPLES = ["api_keys", "roles"]
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def clients():
    with uvicorn_serves([f"examples.{name}:app" for name in EXAMPLES]) as servers, ExitStack() as stack:
        yield [stack.enter_context(httpx.Client(base_url=address(one), trust_env=False)) for one in servers]


class TestKeys:
    @pytest.fixture
    def client(self, clients):
        clients[0].cookies.clear()
        return clients[0]

    def person(self, client, name, password):
        """Return the header by hand: httpx, unlike browsers, sends no Secure cookie to 127.0.0.1."""
        response = client.post("/login", data={"username": name, "password": password})
        assert response.status_code == 204
        client.cookies.clear()
        return {"Cookie": by_name(response)[COOKIE].partition(";")[0]}

    def make(self, client, person, scopes="orders:read"):
        response = client.post("/keys", data={"name": "backup", "scopes": scopes}, headers=person)
        assert (response.status_code, response.headers["cache-control"]) == (201, "no-store")
        made = response.json()
        return made, {"X-API-Key": made["key"]}

    def test_a_person_makes_a_key_and_a_program_uses_it(self, client):
        person = self.person(client, *ADA[:2])
        made, program = self.make(client, person)
        assert re.fullmatch("shop_[0-9a-f]{64}", made["key"])
        assert client.get("/orders", headers=program).json() == {"orders of": "ada"}
        assert client.get("/me", headers=program).json() == client.get("/me", headers=person).json() == {"user": "ada"}
        refused = client.post("/orders", headers=program)
        assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")

    def test_the_commands_of_the_docstring_work(self, client, tmp_path):
        docstring = (ROOT / "examples" / "api_keys.py").read_text(encoding="utf-8").split('"""')[1]
        commands = re.findall(r"^curl (.*)$", docstring, flags=re.MULTILINE)
        here = str(client.base_url).replace("127.0.0.1", "localhost").rstrip("/")
        said = ""
        for command in commands:
            # The last one shows the key that the one before it has made.
            shown = re.search("shop_[0-9a-f]{64}", said)
            words = shlex.split(command.replace("http://localhost:8000", here))
            words = [word.replace("shop_...", shown[0]) if shown else word for word in words]
            said = subprocess.run(  # noqa: S603 - the commands of our own docstring
                ["curl", "-sS", *words],  # noqa: S607 - wherever curl is
                cwd=tmp_path,
                env={**os.environ, "NO_PROXY": "*"},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        assert json.loads(said) == {"orders of": "ada"}

    def test_a_wrong_key_is_refused_and_so_is_none(self, client):
        wrong = client.get("/orders", headers={"X-API-Key": "shop_" + "0" * 64})
        assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_token")
        assert client.get("/orders").json()["error"] == "unauthorized"
        assert client.post("/login", data={"username": "ada", "password": "wrong"}).status_code == 401

    def test_a_key_is_shown_once(self, client):
        person = self.person(client, *ADA[:2])
        made, _ = self.make(client, person)
        listed = client.get("/keys", headers=person)
        assert {"id": made["id"], "name": "backup"} in listed.json()
        assert made["key"] not in listed.text

    def test_a_key_that_was_revoked_is_refused_at_once_and_others_are_not(self, client):
        person = self.person(client, *ADA[:2])
        first, first_program = self.make(client, person)
        _, second_program = self.make(client, person)
        assert client.get("/orders", headers=first_program).status_code == 200
        assert client.delete(f"/keys/{first['id']}", headers=person).status_code == 204
        assert client.get("/orders", headers=first_program).json()["error"] == "invalid_token"
        assert client.get("/orders", headers=second_program).status_code == 200

    def test_nobody_revokes_or_sees_the_key_of_somebody_else(self, client):
        made, program = self.make(client, self.person(client, *ADA[:2]))
        bob = self.person(client, *BOB)
        assert client.delete(f"/keys/{made['id']}", headers=bob).status_code == 404
        assert made["id"] not in client.get("/keys", headers=bob).text
        assert client.get("/orders", headers=program).status_code == 200

    def test_a_key_makes_no_keys_and_no_more_than_its_owner_may(self, client):
        bob = self.person(client, *BOB)
        made, program = self.make(client, bob, scopes="orders:read orders:write admin")
        assert made["scopes"] == "orders:read"
        for method, path in (("POST", "/keys"), ("GET", "/keys"), ("DELETE", f"/keys/{made['id']}")):
            refused = client.request(method, path, headers=program)
            assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")

    def test_another_site_cannot_make_the_browser_make_a_key(self, client):
        elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        person = self.person(client, *ADA[:2])
        form = {"name": "evil", "scopes": "orders:read"}
        assert client.post("/keys", data=form, headers=person | elsewhere).status_code == 403
        assert "evil" not in client.get("/keys", headers=person).text

    def test_openapi_lists_the_ways_in(self, client):
        schema = client.get("/openapi.json").json()
        schemes = schema["components"]["securitySchemes"]
        assert sorted((one["type"], one.get("in")) for one in schemes.values()) == [
            ("apiKey", "cookie"),
            ("apiKey", "header"),
            ("http", None),
        ]
        assert len(schema["paths"]["/orders"]["get"]["security"]) == 3


class TestRoles:
    @pytest.fixture
    def client(self, clients):
        return clients[1]

    def ask(self, client, method, path, name):
        return client.request(method, path, auth=(name, PASSWORD))

    def test_everybody_reads_and_only_editors_write(self, client):
        assert client.put("/pages/tea").status_code == 401
        assert client.put("/pages/tea", auth=("eve", "wrong")).json()["error"] == "invalid_token"
        refused = self.ask(client, "PUT", "/pages/tea", "bob")
        assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
        assert refused.headers["www-authenticate"] == 'Bearer realm="wiki"'
        assert self.ask(client, "PUT", "/pages/tea", "eve").status_code == 204
        assert "tea" in client.get("/").json()

    def test_only_the_owner_deletes_a_page(self, client):
        assert self.ask(client, "PUT", "/pages/milk", "eve").status_code == 204
        for page in ("milk", "nowhere"):
            assert self.ask(client, "DELETE", f"/pages/{page}", "ada").json()["error"] == "access_denied"
        assert self.ask(client, "DELETE", "/pages/milk", "eve").status_code == 204
        assert "milk" not in client.get("/").json()

    def test_administrators_alone_see_the_mounted_application(self, client):
        assert client.get("/admin/owners").status_code == 401
        assert self.ask(client, "GET", "/admin/owners", "eve").json()["error"] == "access_denied"
        assert self.ask(client, "GET", "/admin/owners", "ada").json()["coffee"] == "ada"

    def test_a_client_is_asked_for_a_name_and_a_password(self, client):
        challenges = client.put("/pages/tea").headers.get_list("www-authenticate")
        assert challenges == ['Bearer realm="wiki"', 'Basic realm="wiki", charset="UTF-8"']


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_needs_a_secret_and_serves_on_this_machine_only(monkeypatch, name):
    path, served = str(ROOT / "examples" / f"{name}.py"), []
    monkeypatch.delenv("SECRET", raising=False)
    with pytest.raises(ValueError, match="the environment variable"):
        runpy.run_path(path)
    monkeypatch.setenv("SECRET", secrets.token_urlsafe(48))
    monkeypatch.setattr(uvicorn, "run", lambda app, *, host, port: served.append((app, host, port)))
    module = runpy.run_path(path, run_name="__main__")
    assert served == [(module["app"], "127.0.0.1", 8000)]
    assert f"uvicorn examples.{name}:app" in module["__doc__"]

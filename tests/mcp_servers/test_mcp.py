"""MCP servers of the SDK and of FastMCP, with the SDK's own client: protocol 2026-07-28, and sessions of 2025-11-25."""

import asyncio

import pytest
from mcp_servers import sites
from mcp_servers.clients import connected, discovering, said
from mcp_servers.wire import Wire

WELL_KNOWN = "/.well-known/oauth-protected-resource/mcp"
OURS = {"gate", "both", "fastmcp_gate"}
KEEPS_SESSIONS = {"verifier", "both", "fastmcp_verifier"}


@pytest.fixture(scope="module", params=sites.KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def site(kind):
    with sites.running(kind) as site:
        yield site


@pytest.fixture
def wire(site):
    with Wire(site.url) as wire:
        yield wire


@pytest.mark.parametrize(("mode", "protocol"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_a_client_that_knows_nothing_but_the_url_gets_a_token_and_calls_a_tool(site, mode, protocol):
    async def visit():
        auth, browser = discovering(site.url, "ada")
        async with connected(site.url, auth, mode) as client:
            assert (client.protocol_version, await said(client, "whoami")) == (protocol, "ada")
            return browser.asked, client.seen

    asked, seen = asyncio.run(visit())
    # RFC 8707 §2: the token is for this server, with what it needs and no more.
    assert [(one["resource"], one["scope"]) for one in asked] == [(site.url, "notes:read")]
    first, second = seen[0][1], seen[1]
    assert (first.status_code, f'resource_metadata="{second[0].url}"' in first.headers["www-authenticate"]) == (
        401,
        True,
    )
    assert (second[0].url.path, second[1].status_code) == (WELL_KNOWN, 200)


def test_the_challenge_of_a_gate_says_where_and_for_what(kind, site, wire):
    if kind.__name__ in OURS:
        named = f'resource_metadata="{site.url.removesuffix("/mcp")}{WELL_KNOWN}"'
        expected = f'Bearer realm="api", scope="notes:read", {named}'
        assert wire.ask(None).headers["www-authenticate"] == expected
    else:
        assert "resource_metadata=" in wire.ask(None).headers["www-authenticate"]


class TestRefusals:
    @pytest.mark.parametrize(
        "what",
        [
            {"resource": "https://elsewhere.example/mcp"},
            {"resource": None},
            {"iss": "https://elsewhere.example"},
            {"lives": -10},
            {"sub": "nobody"},
            {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
        ],
    )
    def test_a_token_that_is_not_for_here_is_refused(self, site, wire, what):
        answer = wire.ask(site.token(**{"sub": "ada", **what}))
        assert (answer.status_code, 'error="invalid_token"' in answer.headers["www-authenticate"]) == (401, True)

    def test_a_token_without_the_scope_is_told_of_it(self, site, wire):
        answer = wire.ask(site.token("ada", scopes=["notes:write"]))
        assert (answer.status_code, 'error="insufficient_scope"' in answer.headers["www-authenticate"]) == (403, True)

    def test_a_token_that_was_revoked_is_refused(self, site, wire):
        token = site.token("ada", jti="to-be-revoked")
        session = wire.open_session(token)
        assert wire.whoami(token, session) == "ada"
        asyncio.run(site.manager.revoke_token(token))
        assert wire.ask(token, session).status_code == 401

    @pytest.mark.parametrize(("sub", "status"), [("unavailable", 503), ("broken", 500)])
    def test_what_nobody_can_say_now_is_a_5xx_and_no_invalid_token(self, kind, site, wire, sub, status):
        answer = wire.ask(site.token(sub))
        # The SDK has no answer for it, and so its server has.
        assert answer.status_code == (status if kind.__name__ in OURS else 500)
        assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(("kind", "status"), [(sites.gate, 503), (sites.verifier, 500), (sites.fastmcp_verifier, 500)])
def test_while_the_keys_of_the_provider_cannot_be_had_no_token_is_called_invalid(kind, status):
    with sites.running(kind, with_provider=False) as site, Wire(site.url) as wire:
        assert wire.ask(None).status_code == 401
        answer = wire.ask(site.token("ada"))
        assert (answer.status_code, "www-authenticate" in answer.headers) == (status, False)


class TestTwoUsers:
    """Of one client, so that nothing but the user tells them apart."""

    @pytest.mark.parametrize("mode", ["auto", "legacy"])
    def test_at_once_are_never_taken_for_each_other(self, site, mode):
        async def ask(sub):
            async with connected(site.url, site.token(sub), mode) as client:
                return {sub: {await said(client, "whoami") for _ in range(10)}}

        async def all_at_once():
            return await asyncio.gather(*map(ask, ["ada", "bob"] * 3))

        assert asyncio.run(all_at_once()) == [{"ada": {"ada"}}, {"bob": {"bob"}}] * 3

    def test_on_one_connection_are_never_taken_for_each_other(self, site, wire):
        tokens = {sub: site.token(sub) for sub in ("ada", "bob")}
        sessions = {sub: wire.open_session(token) for sub, token in tokens.items()}
        for _ in range(3):
            assert {sub: wire.whoami(tokens[sub], sessions[sub]) for sub in tokens} == {"ada": "ada", "bob": "bob"}
        assert wire.ask(None, sessions["ada"]).status_code == 401

    def test_never_see_each_others_session(self, kind, site, wire):
        ada, bob = site.token("ada"), site.token("bob")
        session = wire.open_session(ada)
        if kind.__name__ not in KEEPS_SESSIONS:
            assert session is None
            return
        for method in ("POST", "GET", "DELETE"):
            answer = wire.ask(bob, session) if method == "POST" else wire.send(method, bob, session)
            # The same as for a session that there is not.
            unknown = wire.ask(bob, "0" * 32) if method == "POST" else wire.send(method, bob, "0" * 32)
            assert (answer.status_code, answer.content) == (unknown.status_code, unknown.content)
            assert answer.status_code == 404
        assert wire.whoami(ada, session) == "ada"
        # Another token of the same user goes on with it.
        assert wire.whoami(site.token("ada", jti="another"), session) == "ada"

    def test_another_client_of_the_same_user_does_not_get_into_a_session(self, kind, site, wire):
        if kind.__name__ in KEEPS_SESSIONS:
            session = wire.open_session(site.token("ada"))
            assert wire.ask(site.token("ada", client_id="another-client"), session).status_code == 404


def test_a_gate_alone_does_not_tell_the_sdk_whose_a_session_is():
    """Why the servers behind a gate alone keep no sessions."""
    with sites.running(sites.sessions_behind_gate) as site, Wire(site.url) as wire:
        session = wire.open_session(site.token("ada"))
        assert wire.whoami(site.token("ada"), session) == "ada"
        assert wire.whoami(site.token("bob"), session) == "bob"

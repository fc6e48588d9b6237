"""The library's own endpoints answer the same in every framework."""

import pytest
from conformance.apps import raw
from conformance.contract import Site
from conformance.driver import bearer, cookie, http
from conformance.logins import DatabaseDownError, Logins

from asgi_login import Grant, Key, MemoryStore, Refresh, Resource
from asgi_login.oauth import KeysEndpoint, ResourceMetadata, RevocationEndpoint, ServerMetadata, TokenEndpoint

pytestmark = pytest.mark.anyio

FORM = ("content-type", "application/x-www-form-urlencoded")
PASSWORD = b"grant_type=password&username=ada&password=right"
KEY = Key.generate("ES256")
RESOURCE = Resource("https://site.example/mcp", authorization_servers=["https://site.example"], scopes=["mcp:use"])
RESOURCE_METADATA = "/.well-known/oauth-protected-resource/mcp"


async def check(username, password):
    return Grant(username, scopes=["read"]) if password == "right" else None


def endpoints_of(manager):
    kinds = TokenEndpoint(manager, password=check), RevocationEndpoint(manager), KeysEndpoint(manager)
    return [*kinds, ServerMetadata(manager), ResourceMetadata(manager)]


@pytest.fixture
def issuer():
    return Logins(KEY, store=MemoryStore(), refresh=Refresh(), issuer="https://site.example", resource=RESOURCE)


@pytest.fixture
def app(mounting, issuer):
    return mounting.app(issuer, endpoints=endpoints_of(issuer.manager))


async def post(app, body, path="/auth/token", headers=()):
    return await http(app, path, method="POST", headers=[FORM, *headers], body=body)


def refreshing(token):
    return b"grant_type=refresh_token&refresh_token=" + token.encode()


async def pair(app):
    answer = await post(app, PASSWORD)
    assert answer.status == 200
    return answer.json


class TestTokens:
    async def test_a_password_and_a_refresh_token_bring_tokens_that_open_a_gate(self, app):
        first = await pair(app)
        answer = await post(app, refreshing(first["refresh_token"]))
        assert answer.status == 200
        for tokens in (first, answer.json):
            page = await http(app, "/read", headers=[bearer(tokens["access_token"])])
            assert (page.status, page.json["user"], page.json["scopes"]) == (200, "ada", ["read"])

    @pytest.mark.parametrize("name", ["access_token", "refresh_token"])
    async def test_a_token_that_is_revoked_opens_no_gate(self, app, name):
        tokens = await pair(app)
        assert (await post(app, b"token=" + tokens[name].encode(), "/auth/revoke")).status == 200
        assert (await http(app, "/read", headers=[bearer(tokens["access_token"])])).status == 401

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/auth/token", b""),
            ("POST", "/auth/token", b"grant_type=nonsense"),
            ("POST", "/auth/token", refreshing("nonsense")),
            ("POST", "/auth/token", PASSWORD[:-1]),
            ("POST", "/auth/token", b"grant_type=%00"),
            ("POST", "/auth/token", b"x" * 16_385),
            ("GET", "/auth/token", b""),
            ("HEAD", "/auth/token", b""),
            ("OPTIONS", "/auth/token", b""),
            ("POST", "/auth/revoke", b"token=nonsense"),
            ("POST", "/auth/revoke", b""),
            ("DELETE", "/auth/revoke", b""),
            ("GET", "/.well-known/jwks.json", b""),
            ("HEAD", "/.well-known/jwks.json", b""),
            ("GET", "/.well-known/oauth-authorization-server", b""),
            ("GET", RESOURCE_METADATA, b""),
            ("HEAD", RESOURCE_METADATA, b""),
            ("OPTIONS", RESOURCE_METADATA, b""),
            ("POST", RESOURCE_METADATA, b""),
        ],
    )
    async def test_the_whole_answer_is_that_of_a_bare_application(self, app, issuer, method, path, body):
        reference = raw.build(Site([issuer.manager], "wrapped", endpoints=endpoints_of(issuer.manager)))
        for headers in ([FORM], [FORM, ("authorization", "Basic Og==")]):
            expected = await http(reference, path, method=method, headers=headers, body=body)
            assert (await http(app, path, method=method, headers=headers, body=body)).messages == expected.messages

    async def test_tokens_come_with_the_headers_of_a_bare_application(self, app, issuer):
        reference = raw.build(Site([issuer.manager], "wrapped", endpoints=endpoints_of(issuer.manager)))
        expected, answer = await post(reference, PASSWORD), await post(app, PASSWORD)
        assert answer.headers == expected.headers
        assert answer.json.keys() == expected.json.keys()

    async def test_a_credential_that_is_sent_along_is_not_looked_at(self, app, issuer):
        foreign = ("origin", "https://elsewhere.example")
        for headers in ([bearer("expired")], [bearer("a"), bearer("b")], [cookie(issuer.token("broken")), foreign]):
            assert (await post(app, PASSWORD, headers=headers)).status == 200
        assert issuer.loads == []

    async def test_a_loader_that_breaks_is_the_servers_5xx(self, app):
        tokens = (await post(app, PASSWORD.replace(b"ada", b"broken"))).json
        answer = await post(app, refreshing(tokens["refresh_token"]))
        assert isinstance(answer.error, DatabaseDownError) or answer.status == 500

    async def test_a_user_who_is_gone_gets_no_tokens(self, app):
        tokens = (await post(app, PASSWORD.replace(b"ada", b"gone"))).json
        answer = await post(app, refreshing(tokens["refresh_token"]))
        assert (answer.status, answer.json["error"]) == (400, "invalid_grant")

    async def test_pages_beside_them_are_the_applications(self, app):
        assert (await http(app, "/public")).json["user"] is None
        assert (await http(app, "/auth/token/x", method="POST")).status == 404


class TestResource:
    NAMED = 'resource_metadata="https://site.example/.well-known/oauth-protected-resource/mcp"'

    @pytest.mark.parametrize(
        ("path", "scopes"),
        [
            ("/login", "mcp:use"),
            ("/read", "read"),
            ("/read-write", "read write"),
            ("/admin/page", "admin"),
            ("/bank/page", "mcp:use"),
        ],
    )
    async def test_a_gate_says_where_tokens_come_from_and_for_which_scopes(self, app, path, scopes):
        answer = await http(app, path)
        assert answer.status == 401
        assert answer.header("www-authenticate") == [f'Bearer realm="api", scope="{scopes}", {self.NAMED}']
        answer = await http(app, path, headers=[bearer("nonsense")])
        assert answer.status == 401
        assert answer.header("www-authenticate")[0].endswith(f'invalid", scope="{scopes}", {self.NAMED}')

    async def test_a_scope_that_is_missing_is_named_once(self, app, issuer):
        answer = await http(app, "/read-write", headers=[bearer(issuer.token("ada", "read"))])
        assert answer.status == 403
        assert answer.header("www-authenticate")[0].endswith(f'grants", scope="read write", {self.NAMED}')

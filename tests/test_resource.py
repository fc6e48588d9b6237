"""Resource: what it takes, what it is to a manager, and what challenges say of it (RFC 9728 §5.1)."""

import asyncio
from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest
from helpers import NOW, SECRET, Clock, bearer, hello, make_manager, parts, protected, request, websocket

import asgi_login.fastapi
from asgi_login import (
    AuthMiddleware,
    Gate,
    InsufficientScope,
    InvalidToken,
    LoginManager,
    NotAuthenticated,
    Resource,
    fresh_login_required,
    get_auth,
    login_required,
    requires,
    requires_scopes,
)

URL = "https://mcp.example.com/mcp"
ISSUERS = ["https://login.example.com"]
METADATA = 'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"'


def resource(url=URL, **more):
    return Resource(url, **{"authorization_servers": ISSUERS, **more})


def challenge(answer):
    return answer.status, answer.header("www-authenticate")


class TestSettings:
    def test_it_is_frozen_and_keeps_what_it_was_given(self):
        servers = ["https://a.example", "http://localhost:9000/realm"]
        one = Resource(URL, authorization_servers=servers, scopes=["a", "b", "a"], name="Notes", documentation=URL)
        servers.clear()
        assert one.authorization_servers == ("https://a.example", "http://localhost:9000/realm")
        assert (one.url, one.scopes, one.name, one.documentation) == (URL, ("a", "b"), "Notes", URL)
        with pytest.raises(FrozenInstanceError):
            one.url = "https://elsewhere.example"

    @pytest.mark.parametrize(
        ("url", "metadata"),
        [
            ("https://x.example", "https://x.example/.well-known/oauth-protected-resource"),
            ("https://x.example/", "https://x.example/.well-known/oauth-protected-resource"),
            ("https://x.example:8443/a/b", "https://x.example:8443/.well-known/oauth-protected-resource/a/b"),
            ("https://x.example/a/", "https://x.example/.well-known/oauth-protected-resource/a/"),
            ("http://127.0.0.1:8000/mcp", "http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp"),
        ],
    )
    def test_the_metadata_is_between_host_and_path(self, url, metadata):
        manager = make_manager(resource=resource(url))
        assert challenge(request(protected(manager))) == (401, f'Bearer realm="api", resource_metadata="{metadata}"')

    @pytest.mark.parametrize(
        "url",
        [
            "mcp.example.com",
            "http://mcp.example.com",
            "http://localhost.example.com",
            "https://",
            "https://:8443",
            "https://x.example:port",
            "https://x.example?a=b",
            "https://x.example?",
            "https://x.example/#a",
            "https://user@x.example",
            "https://x.example/a//b",
            "https://x.example/%61",
            'https://x.example/"',
            "https://x.example\\a",
            "https://x.example/ä",
            "https://x.example/a b",
            "https://x.example/\r\n",
            "https://[::1",
            "https://x.example/" + "a" * 240,
            "",
        ],
    )
    def test_what_is_no_url_of_a_resource_is_refused(self, url):
        with pytest.raises(ValueError, match=r"Resource\(url\) is a URL like"):
            resource(url)

    @pytest.mark.parametrize("servers", [[], ["login.example.com"], ["http://login.example.com"], [*ISSUERS, ""]])
    def test_clients_must_be_told_of_a_server(self, servers):
        with pytest.raises(ValueError, match="authorization_servers names at least one issuer"):
            resource(authorization_servers=servers)

    @pytest.mark.parametrize("servers", ["https://login.example.com", None, {"https://login.example.com"}, [None]])
    def test_servers_that_are_no_sequence_of_urls_are_refused(self, servers):
        with pytest.raises(TypeError, match="authorization_servers"):
            resource(authorization_servers=servers)

    @pytest.mark.parametrize(
        ("setting", "error", "sentence"),
        [
            ({"scopes": "read"}, TypeError, r"Resource\(scopes=\) takes scopes one by one"),
            ({"scopes": ["a b"]}, ValueError, "is no scope"),
            ({"scopes": ['a"']}, ValueError, "is no scope"),
            ({"name": 7}, TypeError, r"Resource\(name=\) must be str"),
            ({"documentation": 7}, TypeError, r"Resource\(documentation=\) must be str"),
            ({"documentation": "javascript:alert(1)"}, ValueError, "the URL of a page"),
        ],
    )
    def test_other_mistakes_are_refused(self, setting, error, sentence):
        with pytest.raises(error, match=sentence):
            resource(**setting)
        with pytest.raises(TypeError, match=r"Resource\(url\) must be str"):
            resource(7)


@pytest.mark.parametrize("factory", [LoginManager, asgi_login.fastapi.LoginManager])
class TestAudience:
    def test_its_url_is_written_and_required(self, factory):
        manager = factory(SECRET, resource=resource())
        manager.user_loader(lambda sub: sub)
        token = manager.create_access_token(data={"sub": "ada"})
        assert parts(token)[1]["aud"] == URL
        for other in (factory(SECRET), factory(SECRET, resource=resource(f"{URL}/"))):
            foreign = other.create_access_token(data={"sub": "ada"})
            assert isinstance(asyncio.run(manager.authenticate_token(foreign)).error, InvalidToken)
        assert asyncio.run(manager.authenticate_token(token)).error is None

    def test_it_may_be_said_twice(self, factory):
        token = factory(SECRET, resource=resource(), audience=URL).create_access_token(data={"sub": "ada"})
        assert parts(token)[1]["aud"] == URL

    def test_it_may_be_one_of_several(self, factory):
        manager = factory(SECRET, resource=resource(), audience=["api", URL])
        manager.user_loader(lambda sub: sub)
        for audience in ("api", URL):
            token = factory(SECRET, audience=audience).create_access_token(data={"sub": "ada"})
            assert asyncio.run(manager.authenticate_token(token)).user == "ada"

    @pytest.mark.parametrize("audience", ["api", f"{URL}/", "", ["api", f"{URL}/"], ()])
    def test_another_audience_is_refused(self, factory, audience):
        with pytest.raises(ValueError, match=f"ask for tokens for '{URL}': leave audience= out"):
            factory(SECRET, resource=resource(), audience=audience)

    def test_any_audience_is_refused(self, factory):
        with pytest.raises(ValueError, match="resource= and insecure_any_audience=True contradict"):
            factory(SECRET, resource=resource(), insecure_any_audience=True)

    def test_what_is_no_resource_is_refused(self, factory):
        with pytest.raises(TypeError, match="resource must be Resource or None, not str"):
            factory(SECRET, resource=URL)


def error(code, description):
    return f'Bearer realm="api", error="{code}", error_description="{description}"'


EXPIRED = error("invalid_token", "The token has expired")
INVALID = error("invalid_token", "The token is invalid")


class TestChallenges:
    """Each says where the metadata is. A 401 says also which scopes are needed here, or else those of the resource."""

    @pytest.fixture
    def manager(self):
        return make_manager(resource=resource(scopes=["mcp:use", "mcp:list"]), realm="api")

    def token(self, manager, *scopes, **data):
        return bearer(manager.create_access_token(data={"sub": "ada", **data}, scopes=scopes))

    def test_without_a_credential(self, manager):
        expected = f'Bearer realm="api", scope="mcp:use mcp:list", {METADATA}'
        assert challenge(request(protected(manager))) == (401, expected)

    def test_a_gate_that_needs_scopes_names_these(self, manager):
        expected = f'Bearer realm="api", scope="notes:write notes:read", {METADATA}'
        assert challenge(request(protected(manager, scopes=["notes:write", "notes:read"]))) == (401, expected)

    def test_a_resource_without_scopes_names_none(self):
        for scopes in (None, ()):
            app = protected(make_manager(resource=resource(scopes=scopes)))
            assert challenge(request(app)) == (401, f'Bearer realm="api", {METADATA}')

    @pytest.mark.parametrize(("scopes", "named"), [((), "mcp:use mcp:list"), (["x"], "x")])
    def test_a_token_that_is_refused(self, manager, scopes, named):
        app, old = protected(manager, scopes=scopes), self.token(manager)
        expected = f'{INVALID}, scope="{named}", {METADATA}'
        for headers in ([bearer("nonsense")], [self.token(manager, sub="nobody")]):
            assert challenge(request(app, headers=headers)) == (401, expected)
        manager.config.clock.now += 901
        assert challenge(request(app, headers=[old])) == (401, f'{EXPIRED}, scope="{named}", {METADATA}')

    def test_a_token_that_ends_while_its_request_is_handled(self, manager):
        async def late(scope, receive, send):
            manager.config.clock.now += 901
            await Gate(hello, scopes=["x"])(scope, receive, send)

        app = AuthMiddleware(late, manager)
        expected = f'{EXPIRED}, scope="x", {METADATA}'
        assert challenge(request(app, headers=[self.token(manager, "x")])) == (401, expected)

    def test_a_scope_that_is_missing(self, manager):
        description = "The request requires higher privileges than the token grants"
        expected = f'{error("insufficient_scope", description)}, scope="a b", {METADATA}'
        app = protected(manager, scopes=["a", "b"])
        assert challenge(request(app, headers=[self.token(manager, "a")])) == (403, expected)

    def test_a_login_that_is_not_fresh(self, manager):
        code = error("insufficient_user_authentication", "A more recent login is required")
        app = protected(manager, fresh=True, scopes=["a"])
        assert challenge(request(app, headers=[self.token(manager, "a")])) == (401, f'{code}, scope="a", {METADATA}')

    def test_a_malformed_request_and_a_user_who_may_not(self, manager):
        code = error("invalid_request", "The request must carry one Authorization header with one Bearer token")
        app = protected(manager, check=lambda auth: False)
        assert challenge(request(app, headers=[bearer("a b")])) == (400, f"{code}, {METADATA}")
        expected = f'Bearer realm="api", {METADATA}'
        assert challenge(request(app, headers=[self.token(manager)])) == (403, expected)

    @pytest.mark.parametrize(
        ("decorator", "scopes"),
        [
            (login_required, "mcp:use mcp:list"),
            (fresh_login_required, "mcp:use mcp:list"),
            (requires(lambda auth: True), "mcp:use mcp:list"),
            (requires_scopes("x", "y"), "x y"),
        ],
    )
    def test_of_a_decorator(self, manager, decorator, scopes):
        app = AuthMiddleware(decorator(hello), manager)
        assert challenge(request(app)) == (401, f'Bearer realm="api", scope="{scopes}", {METADATA}')

    def test_of_a_websocket(self, manager):
        messages = websocket(protected(manager, scopes=["x"]), extensions={"websocket.http.response": {}})
        assert (b"www-authenticate", f'Bearer realm="api", scope="x", {METADATA}'.encode()) in messages[0]["headers"]

    def test_of_errors_that_the_application_raises_itself(self, manager):
        async def view(scope, receive, send):
            raise InsufficientScope(required=["x"]) if get_auth(scope).is_authenticated else NotAuthenticated

        app = AuthMiddleware(view, manager)
        assert challenge(request(app)) == (401, f'Bearer realm="api", scope="mcp:use mcp:list", {METADATA}')
        status, found = challenge(request(app, headers=[self.token(manager)]))
        assert (status, found.endswith(f'scope="x", {METADATA}')) == (403, True)
        assert NotAuthenticated.resource_metadata is None

    def test_of_what_is_raised_in_place_of_ours(self):
        class LogIn(NotAuthenticated):
            description = "Log in first"

        class LogInForB(NotAuthenticated):
            required = ("b",)

        for exception, scopes in ((LogIn, "a"), (LogInForB, "b")):
            manager = make_manager(resource=resource(scopes=["a"]), not_authenticated_exception=exception)
            app = AuthMiddleware(requires_scopes("x")(hello), manager)
            assert challenge(request(app)) == (401, f'Bearer realm="api", scope="{scopes}", {METADATA}')
            assert exception.resource_metadata is None

    def test_of_an_auth_by_hand(self, manager):
        auth = asyncio.run(manager.authenticate_token("nonsense"))
        for scopes, named in (((), "mcp:use mcp:list"), (("x",), "x"), ((), "mcp:use mcp:list")):
            with pytest.raises(InvalidToken) as refused:
                auth.require(*scopes)
            assert refused.value.challenge == f'{INVALID}, scope="{named}", {METADATA}'

    def test_nothing_of_the_request_is_in_them(self, manager):
        headers = [(b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example"), (b"forwarded", b"host=evil")]
        app = protected(manager)
        plain = request(app)
        assert request(app, headers=headers, server=("evil.example", 1), root_path="/evil") == plain

    def test_each_managers_is_its_own(self, manager):
        other = make_manager("another-secret-of-thirty-two-bytes!", name="web", clock=Clock())
        app = AuthMiddleware(Gate(hello, manager="web"), [manager, other])
        assert challenge(request(app)) == (401, 'Bearer realm="api"')
        app = AuthMiddleware(Gate(hello, manager="default"), [other, manager])
        assert METADATA in request(app).header("www-authenticate")

    def test_without_a_resource_they_are_what_they_were(self):
        manager = make_manager()
        assert challenge(request(protected(manager, scopes=["x"]))) == (401, 'Bearer realm="api"')
        assert challenge(request(protected(manager, scopes=["x"]), headers=[bearer("a")])) == (401, INVALID)
        old = manager.create_access_token(data={"sub": "ada"}, expires=timedelta(seconds=1))
        manager.config.clock.now = NOW + 2
        assert challenge(request(protected(manager), headers=[bearer(old)])) == (401, EXPIRED)

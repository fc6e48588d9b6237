"""ServerMetadata and KeysEndpoint: what others are told (RFC 8414, RFC 7517)."""

import json

import jwt
import pytest
from helpers import SECRET, ec_pem, ed25519_pem, hello, make_manager, public_pem, request, rsa_pem
from oauth.posting import issuing
from starlette.applications import Starlette
from starlette.routing import Route

from asgi_login import Key
from asgi_login.issuers import Issuer
from asgi_login.oauth import Endpoints, KeysEndpoint, RevocationEndpoint, ServerMetadata, TokenEndpoint

WELL_KNOWN = "/.well-known/oauth-authorization-server"
ISSUER = "https://shop.example"


def checking(username, password):
    return None


def metadata(manager, *endpoints, path=WELL_KNOWN, **scope):
    answer = request(Endpoints(hello, ServerMetadata(manager), *endpoints), path=path, **scope)
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    return answer.json()


def test_it_says_what_there_is():
    manager = issuing(secret=Key(ec_pem(), "ES256"), issuer=ISSUER, scopes={"read": "Read", "write": "Write"})
    endpoints = [TokenEndpoint(manager, password=checking), RevocationEndpoint(manager), KeysEndpoint(manager)]
    assert metadata(manager, *endpoints) == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/auth/token",
        "token_endpoint_auth_methods_supported": ["none"],
        "grant_types_supported": ["refresh_token", "password"],
        "revocation_endpoint": f"{ISSUER}/auth/revoke",
        "revocation_endpoint_auth_methods_supported": ["none"],
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "scopes_supported": ["read", "write"],
        "response_types_supported": [],
    }


def test_it_does_not_say_what_there_is_not():
    manager = issuing(issuer=ISSUER)
    assert metadata(manager, TokenEndpoint(manager, "/token")) == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/token",
        "token_endpoint_auth_methods_supported": ["none"],
        "grant_types_supported": ["refresh_token"],
        "response_types_supported": [],
    }


def test_a_service_that_only_publishes_its_keys_takes_no_grant():
    manager = make_manager(Key(ec_pem(), "ES256"), issuer=ISSUER)
    said = metadata(manager, KeysEndpoint(manager))
    assert (said["grant_types_supported"], said["jwks_uri"]) == ([], f"{ISSUER}/.well-known/jwks.json")
    assert "token_endpoint" not in said


def test_of_two_token_endpoints_the_first_is_named():
    manager = issuing(issuer=ISSUER)
    said = metadata(manager, TokenEndpoint(manager, "/a"), TokenEndpoint(manager, "/b", password=checking))
    assert (said["token_endpoint"], said["grant_types_supported"]) == (f"{ISSUER}/a", ["refresh_token"])


def test_each_manager_has_its_own():
    web, admin = issuing(issuer=f"{ISSUER}/web"), issuing(issuer=f"{ISSUER}/admin", name="admin")
    app = Endpoints(
        hello, TokenEndpoint(web, "/web"), TokenEndpoint(admin, "/admin"), ServerMetadata(web), ServerMetadata(admin)
    )
    for name in ("web", "admin"):
        # RFC 8414 §3.1: the path of the issuer comes behind.
        said = request(app, path=f"{WELL_KNOWN}/{name}").json()
        assert (said["issuer"], said["token_endpoint"]) == (f"{ISSUER}/{name}", f"{ISSUER}/{name}")
    with pytest.raises(RuntimeError, match="did not pass through AuthMiddleware"):
        request(app, path=WELL_KNOWN)  # which is the application's


def test_an_issuer_that_ends_with_a_slash_keeps_it():
    manager = issuing(issuer=f"{ISSUER}/")
    assert metadata(manager, TokenEndpoint(manager))["issuer"] == f"{ISSUER}/"


def test_host_and_forwarded_headers_are_not_read():
    manager = issuing(issuer=ISSUER)
    headers = [(b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example"), (b"forwarded", b"host=evil.example")]
    assert "evil" not in json.dumps(metadata(manager, TokenEndpoint(manager), headers=headers))


def test_the_public_url_is_where_the_endpoints_are():
    manager = issuing(issuer="https://login.example", public_url="https://api.example:8443")
    said = metadata(manager, TokenEndpoint(manager))
    assert (said["issuer"], said["token_endpoint"]) == ("https://login.example", "https://api.example:8443/auth/token")
    manager = issuing(public_url="https://api.example")
    said = metadata(manager, TokenEndpoint(manager))
    assert (said["issuer"], said["token_endpoint"]) == ("https://api.example", "https://api.example/auth/token")


@pytest.mark.parametrize(
    ("root", "prefix"),
    [
        ("/v1", "/v1"),
        ("/v1/", "/v1"),
        ("", ""),
        ("@evil.example", ""),
        ("//evil.example", "//evil.example"),
        ("/ä b", "/%C3%A4%20b"),
    ],
)
def test_the_endpoints_lie_below_the_servers_root_path_and_on_no_other_host(root, prefix):
    manager = issuing(issuer=ISSUER)
    app = ServerMetadata(manager, TokenEndpoint(manager))
    assert request(app, root_path=root).json()["token_endpoint"] == f"{ISSUER}{prefix}/auth/token"


def test_it_is_mounted_with_the_endpoints_that_it_describes():
    manager = issuing(issuer=ISSUER)
    token = TokenEndpoint(manager)
    assert request(ServerMetadata(manager, token)).json()["token_endpoint"] == f"{ISSUER}/auth/token"
    alone = Starlette(routes=[Route(WELL_KNOWN, ServerMetadata(manager))])
    with pytest.raises(RuntimeError, match="has nothing to describe"):
        request(alone.router, path=WELL_KNOWN)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_is_read_only_and_kept_by_nobody_else(method):
    manager = issuing(issuer=ISSUER)
    app = ServerMetadata(manager, TokenEndpoint(manager))
    answer = request(app, method)
    assert (answer.status, answer.header("cache-control")) == (200, "private, max-age=300")
    assert (answer.body == b"") == (method == "HEAD")
    assert request(app, "POST").header("allow") == "GET, HEAD, OPTIONS"


def test_without_an_issuer_it_is_refused():
    with pytest.raises(ValueError, match=r"pass issuer='https://shop\.example\.com'"):
        ServerMetadata(issuing())


@pytest.mark.parametrize(
    "issuer",
    [
        "shop",
        "http://shop.example",
        "http://localhost.evil.example",
        "https://",
        "https://shop.example?x=1",
        "https://shop.example#x",
        "https://shop.example?",
        "https://user@shop.example",
        "https://[::1",
        "https://shöp.example",
        "ftp://shop.example",
    ],
)
def test_what_clients_would_not_take_for_an_issuer_is_refused(issuer):
    with pytest.raises(ValueError, match="an issuer is a URL"):
        ServerMetadata(issuing(issuer=issuer))


@pytest.mark.parametrize("issuer", ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:8000/a"])
def test_on_this_machine_plain_http_will_do(issuer):
    manager = issuing(issuer=issuer)
    said = request(ServerMetadata(manager, TokenEndpoint(manager))).json()
    assert said["issuer"] == issuer


class TestKeys:
    @pytest.mark.parametrize(
        ("pem", "algorithm"), [(rsa_pem, "RS256"), (rsa_pem, "PS384"), (ec_pem, "ES256"), (ed25519_pem, "EdDSA")]
    )
    def test_others_verify_tokens_with_what_is_published(self, pem, algorithm):
        manager = make_manager([Key(pem(), algorithm)], audience="api")
        answer = request(Endpoints(hello, KeysEndpoint(manager)), path="/.well-known/jwks.json")
        assert (answer.status, answer.header("content-type")) == (200, "application/jwk-set+json")
        assert answer.header("cache-control") == "public, max-age=300"
        [published] = jwt.PyJWKSet.from_dict(answer.json()).keys
        token = manager.create_access_token(data={"sub": "ada"})
        assert jwt.get_unverified_header(token)["kid"] == published.key_id
        options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        read = jwt.decode(token, published, algorithms=[algorithm], audience="api", options=options)
        assert read["sub"] == "ada"

    @pytest.mark.parametrize(("pem", "algorithm"), [(rsa_pem, "RS256"), (ec_pem, "ES256"), (ed25519_pem, "EdDSA")])
    def test_nothing_private_is_published(self, pem, algorithm):
        manager = make_manager([Key(pem(), algorithm, kid="mine")])
        [key] = request(KeysEndpoint(manager)).json()["keys"]
        assert not {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}.intersection(key)
        assert (key["kid"], key["alg"], key["use"]) == ("mine", algorithm, "sig")
        library = jwt.algorithms.get_default_algorithms()[algorithm]
        theirs = json.loads(library.to_jwk(Key(pem(), algorithm).public_key))
        assert {name: key[name] for name in key.keys() - {"alg", "use", "kid"}} == {
            name: theirs[name] for name in theirs.keys() - {"key_ops", "alg", "use", "kid"}
        }

    def test_every_key_is_published_in_order(self):
        new, old = Key(ec_pem(), "ES256", kid="new"), Key(public_pem(rsa_pem()), "RS256", kid="old")
        answer = request(KeysEndpoint(make_manager([new, old], audience="shop")))
        assert [key["kid"] for key in answer.json()["keys"]] == ["new", "old"]

    def test_a_manager_with_a_secret_is_refused(self):
        for secret in (SECRET, [Key(ec_pem(), "ES256"), Key(SECRET)]):
            with pytest.raises(ValueError, match="this manager has a secret"):
                KeysEndpoint(make_manager(secret))

    def test_a_manager_with_an_issuer_publishes_its_own_keys_and_needs_some(self):
        provider = Issuer("https://login.example")
        answer = request(KeysEndpoint(make_manager([provider, Key(ec_pem(), "ES256", kid="own")], audience="shop")))
        assert [key["kid"] for key in answer.json()["keys"]] == ["own"]
        with pytest.raises(ValueError, match="only those of an Issuer, which publishes them itself"):
            KeysEndpoint(make_manager(provider, audience="shop"))

    def test_it_is_read_only(self):
        app = KeysEndpoint(make_manager(Key(ec_pem(), "ES256")))
        assert request(app, "HEAD").body == b""
        assert request(app, "POST").status == 405

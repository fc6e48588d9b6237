"""ResourceMetadata: what clients are told that come without a token (RFC 9728 §3)."""

import pytest
from helpers import bearer, hello, make_manager, request

from asgi_login import AuthMiddleware, Gate, Resource
from asgi_login.oauth import Endpoints, ResourceMetadata

WELL_KNOWN = "/.well-known/oauth-protected-resource"
SITE = "https://mcp.example.com"
ISSUERS = ["https://login.example.com", "https://other.example.com/realm"]


def managing(url=f"{SITE}/mcp", **more):
    return make_manager(resource=Resource(url, authorization_servers=ISSUERS, **more))


def test_it_says_all_that_there_is():
    manager = managing(scopes=["notes:read", "notes:write"], name="Nötes", documentation="https://docs.example.com/mcp")
    answer = request(Endpoints(hello, ResourceMetadata(manager)), path=f"{WELL_KNOWN}/mcp")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert answer.header("cache-control") == "public, max-age=300"
    assert answer.json() == {
        "resource": f"{SITE}/mcp",
        "authorization_servers": ISSUERS,
        "scopes_supported": ["notes:read", "notes:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Nötes",
        "resource_documentation": "https://docs.example.com/mcp",
    }


@pytest.mark.parametrize("scopes", [None, []])
def test_it_leaves_out_what_there_is_not(scopes):
    assert request(ResourceMetadata(managing(scopes=scopes))).json() == {
        "resource": f"{SITE}/mcp",
        "authorization_servers": ISSUERS,
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (SITE, WELL_KNOWN),
        (f"{SITE}/", WELL_KNOWN),
        (f"{SITE}/a/b.c", f"{WELL_KNOWN}/a/b.c"),
        (f"{SITE}/a/", f"{WELL_KNOWN}/a/"),
    ],
)
def test_it_is_at_the_path_of_the_resource_and_nowhere_else(url, path):
    manager = managing(url)
    app = Endpoints(AuthMiddleware(Gate(hello), manager), ResourceMetadata(manager))
    assert request(app, path=path).json()["resource"] == url
    for other in (f"{path}/x", f"{path}//", "/x" + path, "/"):
        assert request(app, path=other).status == 401


def test_the_challenge_leads_there():
    manager = managing()
    app = Endpoints(AuthMiddleware(Gate(hello), manager), ResourceMetadata(manager))
    _, _, found = request(app).header("www-authenticate").rpartition("resource_metadata=")
    assert found.strip('"').startswith(SITE)
    assert request(app, path=found.strip('"').removeprefix(SITE)).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_pages_of_every_origin_may_read_it(method):
    headers = [(b"origin", b"https://inspector.example"), (b"access-control-request-headers", b"mcp-protocol-version")]
    answer = request(ResourceMetadata(managing()), method, headers=headers)
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.header("access-control-allow-headers") == ("*" if method == "OPTIONS" else None)
    assert answer.header("access-control-allow-credentials") is None
    assert answer.status == {"OPTIONS": 204, "POST": 405}.get(method, 200)
    assert (answer.body == b"") == (method in {"HEAD", "OPTIONS"})
    assert answer.header("allow") == (None if answer.status == 200 else "GET, HEAD, OPTIONS")


def test_host_and_credentials_are_not_read():
    manager = managing()
    app = Endpoints(AuthMiddleware(Gate(hello), manager), ResourceMetadata(manager))
    plain = request(app, path=f"{WELL_KNOWN}/mcp")
    headers = [(b"host", b"evil.example"), (b"forwarded", b"host=evil.example"), bearer("a"), bearer("b")]
    assert request(app, path=f"{WELL_KNOWN}/mcp", headers=headers, server=("evil.example", 1)) == plain


def test_a_manager_that_stands_for_no_resource_is_refused():
    with pytest.raises(ValueError, match=r"pass resource=Resource\('https://mcp\.example\.com/mcp', auth"):
        ResourceMetadata(make_manager())
    with pytest.raises(TypeError, match="takes a LoginManager"):
        ResourceMetadata(Resource(SITE, authorization_servers=ISSUERS))

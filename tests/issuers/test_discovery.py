"""Where an issuer publishes its keys."""

import gzip
import json
from datetime import timedelta

import anyio
import httpx
import pytest
from helpers import protected
from issuers.providers import KEYS_URL, METADATA_URL, URL, Provider, jwk, manager_of, settled, status, timed, token

from asgi_login.issuers import Issuer
from asgi_login.issuers.discovery import metadata_urls

pytestmark = pytest.mark.anyio

OAUTH_URL = "https://idp.example/.well-known/oauth-authorization-server"
GZIPPED = gzip.compress(json.dumps({"keys": [jwk()]}).encode())
GOOD = {"issuer": URL, "jwks_uri": KEYS_URL}


def site(provider, **settings):
    """Return an application, and the Issuer's clock."""
    issuer = provider.issuer(jwks_uri=None, **settings)
    return protected(manager_of(issuer)), issuer, timed(issuer)


@pytest.mark.parametrize(
    ("issuer", "openid", "oauth"),
    [
        ("https://a.example", "https://a.example/.well-known/openid-configuration", OAUTH_URL.replace("idp", "a")),
        ("https://a.example/", "https://a.example/.well-known/openid-configuration", OAUTH_URL.replace("idp", "a")),
        (
            "https://a.example:8443/realms/shop",
            "https://a.example:8443/realms/shop/.well-known/openid-configuration",
            "https://a.example:8443/.well-known/oauth-authorization-server/realms/shop",
        ),
        (
            "https://a.example/tenant/v2.0/",
            "https://a.example/tenant/v2.0/.well-known/openid-configuration",
            "https://a.example/.well-known/oauth-authorization-server/tenant/v2.0",
        ),
    ],
)
def test_the_metadata_is_where_the_specifications_say(issuer, openid, oauth):
    assert metadata_urls(issuer) == (openid, oauth)


async def test_the_keys_are_found_by_discovery():
    app, *_ = site(provider := Provider())
    assert await status(app, token()) == 200
    assert provider.asked == [METADATA_URL, KEYS_URL]


async def test_with_jwks_uri_nothing_is_discovered():
    app = protected(manager_of((provider := Provider()).issuer()))
    assert await status(app, token()) == 200
    assert provider.asked == [KEYS_URL]


@pytest.mark.parametrize("code", [400, 403, 404, 410])
async def test_without_openid_connect_the_other_place_is_asked(code):
    provider = Provider()
    provider.answers = {METADATA_URL: httpx.Response(code), OAUTH_URL: httpx.Response(200, json=GOOD)}
    assert await status(site(provider)[0], token()) == 200
    assert provider.asked == [METADATA_URL, OAUTH_URL, KEYS_URL]


@pytest.mark.parametrize("code", [204, 301, 302, 429, 500, 503])
async def test_a_provider_in_trouble_is_not_asked_elsewhere(code):
    provider = Provider()
    provider.answers = {METADATA_URL: httpx.Response(code, json=GOOD), OAUTH_URL: httpx.Response(200, json=GOOD)}
    assert await status(site(provider)[0], token()) == 503
    assert provider.asked == [METADATA_URL]


@pytest.mark.parametrize("place", [METADATA_URL, OAUTH_URL])
@pytest.mark.parametrize("issuer", [None, 5, "", URL + "/", "https://idp.example:443", "https://IDP.example", [URL]])
async def test_metadata_of_another_issuer_is_refused(place, issuer):
    provider = Provider()
    provider.answers = {METADATA_URL: httpx.Response(404), place: httpx.Response(200, json=GOOD | {"issuer": issuer})}
    assert await status(site(provider)[0], token()) == 503
    assert provider.fetches == 0


async def test_what_the_issuer_should_be_is_logged(caplog):
    provider = Provider()
    provider.answers[METADATA_URL] = httpx.Response(200, json=GOOD | {"issuer": URL + "/"})
    await status(site(provider)[0], token())
    assert f"the metadata is that of '{URL}/', and Issuer(url) must be the same" in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        *(
            ...,
            None,
            5,
            "",
            "/keys",
            "keys",
            "http://idp.example/keys",
            "HTTP://idp.example/keys",
            "ftp://idp.example/k",
        ),
        *("https:///keys", "https://user@idp.example/keys", "file:///keys", "https://idp.example/a b", [KEYS_URL]),
        *(
            "https://idp.example:0/keys",
            "https://idp.example:99999/",
            "https://idp.example\\@evil.example/",
            "https://[",
        ),
        *("http://localhost/keys", "http://127.0.0.1/keys", "https://idp.example/" + "a" * 2048),
    ],
)
async def test_keys_are_fetched_over_https_only(url):
    provider = Provider()
    metadata = {name: value for name, value in (GOOD | {"jwks_uri": url}).items() if value is not ...}
    provider.answers[METADATA_URL] = httpx.Response(200, json=metadata)
    assert await status(site(provider)[0], token()) == 503
    assert provider.asked == [METADATA_URL]


async def test_they_may_be_on_another_host():
    provider = Provider()
    elsewhere = "https://keys.example/v3/certs"
    provider.answers[METADATA_URL] = httpx.Response(200, json=GOOD | {"jwks_uri": elsewhere})
    provider.answers[elsewhere] = lambda: httpx.Response(200, json={"keys": provider.keys})
    assert await status(site(provider)[0], token()) == 200


async def test_it_is_looked_up_again_after_a_day():
    app, issuer, time = site(provider := Provider())
    await status(app, token())
    for hours, lookups in [(23, 1), (1.1, 2), (23, 2)]:
        time.passes(hours=hours)
        assert await status(app, token()) == 200
        await settled(issuer)
        assert provider.asked.count(METADATA_URL) == lookups


async def test_keys_that_have_moved_are_found_at_once():
    app, issuer, time = site(provider := Provider())
    await status(app, token())
    moved = "https://idp.example/new-keys"
    provider.answers = {
        KEYS_URL: httpx.Response(404),
        METADATA_URL: lambda: httpx.Response(200, json=GOOD | {"jwks_uri": moved}),
        moved: lambda: httpx.Response(200, json={"keys": provider.keys}),
    }
    time.passes(minutes=11)
    await status(app, token())
    await settled(issuer)
    assert provider.asked[2:] == [KEYS_URL, METADATA_URL, moved]
    time.passes(minutes=11)
    await status(app, token())
    await settled(issuer)
    assert provider.asked[5:] == [moved]


async def test_a_set_that_is_refused_right_after_discovery_is_asked_for_once():
    app, _, time = site(provider := Provider())
    provider.answers[KEYS_URL] = httpx.Response(404)
    assert await status(app, token()) == 503
    assert provider.asked == [METADATA_URL, KEYS_URL]
    time.passes(seconds=2)
    assert await status(app, token()) == 503
    assert provider.asked[2:] == [METADATA_URL, KEYS_URL]


@pytest.mark.parametrize("code", [429, 500, 301])
async def test_trouble_with_the_set_does_not_start_another_discovery(code):
    app, issuer, time = site(provider := Provider())
    await status(app, token())
    provider.answers[KEYS_URL] = httpx.Response(code)
    time.passes(minutes=11)
    assert await status(app, token()) == 200
    await settled(issuer)
    assert provider.asked[2:] == [KEYS_URL]


async def test_a_given_jwks_uri_is_never_replaced():
    provider = Provider()
    provider.answers[KEYS_URL] = httpx.Response(404)
    assert await status(protected(manager_of(provider.issuer())), token()) == 503
    assert provider.asked == [KEYS_URL]


class TestDocuments:
    @pytest.mark.parametrize(
        "response",
        [
            lambda: httpx.Response(200, text="<!doctype html><title>Sign in</title>"),
            lambda: httpx.Response(200, content=b""),
            lambda: httpx.Response(200, content=b"[]"),
            lambda: httpx.Response(200, content=b'{"keys": [], "keys": []}'),
            lambda: httpx.Response(200, content=b"\xef\xbb\xbf{}"),
            lambda: httpx.Response(200, content=b"{" + b" " * 65_536 + b"}"),
            lambda: httpx.Response(301, headers={"location": KEYS_URL}),
            lambda: httpx.Response(201, json={"keys": []}),
            lambda: httpx.Response(200, headers={"content-encoding": "gzip"}, content=GZIPPED),
        ],
    )
    async def test_what_is_no_json_object_within_bounds_is_refused(self, response):
        provider = Provider()
        provider.answers[KEYS_URL] = response
        assert await status(protected(manager_of(provider.issuer())), token()) == 503

    async def test_neither_content_type_nor_cache_control_is_looked_at(self):
        provider = Provider()
        headers = {"content-type": "text/html", "cache-control": "no-store, max-age=0"}
        provider.answers[KEYS_URL] = lambda: httpx.Response(200, json={"keys": provider.keys}, headers=headers)
        issuer = provider.issuer()
        time = timed(issuer)
        app = protected(manager_of(issuer))
        assert await status(app, token()) == 200
        time.passes(minutes=9)
        assert await status(app, token(jti="other")) == 200
        assert provider.fetches == 1

    async def test_redirects_are_not_followed_by_a_client_that_would(self):
        provider = Provider()
        provider.answers[KEYS_URL] = httpx.Response(302, headers={"location": "https://elsewhere.example/keys"})
        client = httpx.AsyncClient(transport=httpx.MockTransport(provider), follow_redirects=True)
        issuer = Issuer(URL, jwks_uri=KEYS_URL, client=client)
        assert await status(protected(manager_of(issuer)), token()) == 503
        assert provider.asked == [KEYS_URL]

    async def test_whatever_a_client_raises_is_an_answer_too(self, caplog):
        provider = Provider()
        provider.answers[KEYS_URL] = ZeroDivisionError("the client is broken")
        assert await status(protected(manager_of(provider.issuer())), token()) == 503
        assert "the client is broken" in caplog.text

    async def test_one_deadline_is_over_discovery_and_keys_together(self):
        async def slow(request):
            await anyio.sleep(0.06)
            return Provider()(request)

        client = httpx.AsyncClient(transport=httpx.MockTransport(slow))
        issuer = Issuer(URL, client=client, timeout=timedelta(seconds=0.1))
        with anyio.fail_after(5):
            assert await status(protected(manager_of(issuer)), token()) == 503


class TestInsecureForDevelopment:
    @pytest.mark.parametrize(
        "url", ["http://localhost:8080", "http://idp.localhost/realms/x", "http://127.0.0.1:9000/", "http://[::1]:9000"]
    )
    async def test_this_machine_may_speak_plain_http(self, url):
        provider = Provider(url=url.rstrip("/"))
        provider.answers[f"{provider.url}/.well-known/openid-configuration"] = httpx.Response(
            200, json={"issuer": url, "jwks_uri": f"{provider.url}/keys"}
        )
        issuer = Issuer.insecure_for_development(url, client=provider.client())
        assert await status(protected(manager_of(issuer)), token(iss=url)) == 200

    async def test_its_keys_must_be_here_too(self):
        url = "http://localhost:8080"
        provider = Provider(url=url)
        provider.answers[f"{url}/.well-known/openid-configuration"] = httpx.Response(
            200, json={"issuer": url, "jwks_uri": "http://idp.example/keys"}
        )
        issuer = Issuer.insecure_for_development(url, client=provider.client())
        assert await status(protected(manager_of(issuer)), token(iss=url)) == 503

    @pytest.mark.parametrize(
        "url",
        [
            "http://idp.example",
            "http://10.0.0.1",
            "http://localhost.example",
            "http://0.0.0.0",
            "http://127.0.0.1.nip.io",
        ],
    )
    def test_other_machines_may_not(self, url):
        with pytest.raises(ValueError, match="for an issuer on this machine only"):
            Issuer.insecure_for_development(url)

    def test_https_is_good_enough(self):
        assert Issuer.insecure_for_development(URL).url == URL

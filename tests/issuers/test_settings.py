"""The settings of an Issuer: bad ones are refused at once, with a sentence."""

import inspect
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import get_type_hints

import httpx
import pytest

from asgi_login import LoginManager
from asgi_login.issuers import Issuer
from asgi_login.issuers.issuer import IssuerSettings

ROOT = Path(__file__).parents[2]
URL = "https://idp.example"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://idp.example", "without https, whoever is on the way signs"),
        ("http://localhost:8080", "Issuer.insecure_for_development"),
        ("", "is no issuer"),
        ("idp.example", "is no issuer"),
        ("https://", "is no issuer"),
        ("https://idp.example?tenant=1", "is no issuer"),
        ("https://idp.example#x", "is no issuer"),
        ("https://user:pw@idp.example", "is no issuer"),
        ("https://idp.example/ä", "is no issuer"),
        ("https://idp.example/a b", "is no issuer"),
        ("https://idp.example/" + "a" * 250, "is no issuer"),
        ("https://login.microsoftonline.com/{tenantid}/v2.0", "is a template"),
    ],
)
def test_an_issuer_is_an_https_url(url, sentence):
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        Issuer(url)


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({"jwks_uri": "http://idp.example/keys"}, ValueError, "jwks_uri .*(without https|on this machine only)"),
        ({"jwks_uri": "/keys"}, ValueError, "write an absolute URL"),
        ({"jwks_uri": 5}, TypeError, "jwks_uri is a str or None"),
        ({"algorithms": ()}, ValueError, "algorithms is a sequence of"),
        ({"algorithms": "RS256"}, ValueError, "algorithms is a sequence of"),
        ({"algorithms": ["HS256"]}, ValueError, "a secret .HS256. is never published"),
        ({"algorithms": ["none"]}, ValueError, "algorithms is a sequence of"),
        ({"scopes_claim": ""}, TypeError, "scopes_claim is the name of a claim"),
        ({"subject_claim": None}, TypeError, "subject_claim is the name of a claim"),
        ({"audience_claim": 5}, TypeError, "audience_claim is the name of a claim"),
        ({"require": ["token_use"]}, TypeError, "require maps claims to the values"),
        ({"require": {5: "access"}}, TypeError, "the name of a claim is a str"),
        ({"require": {"x": object()}}, TypeError, "the value of 'x' has no JSON form"),
        ({"require": {"x": float("nan")}}, TypeError, "the value of 'x' has no JSON form"),
        ({"refresh_every": 600}, TypeError, "refresh_every is a timedelta"),
        ({"refresh_every": timedelta(0)}, ValueError, "refresh_every must be positive"),
        ({"keep_for": timedelta(minutes=9)}, ValueError, "refresh_every must not be longer than keep_for"),
        ({"keep_for": timedelta(days=366)}, ValueError, "keep_for must be positive and at most a year"),
        ({"cooldown": timedelta(0)}, ValueError, "cooldown must be positive"),
        ({"timeout": timedelta(seconds=-1)}, ValueError, "timeout must be positive"),
        ({"client": httpx.Client}, TypeError, "client is an httpx.AsyncClient or None"),
        ({"access_token_types": ()}, TypeError, "access_token_types takes a sequence"),
        ({"access_token_types": "at+jwt"}, TypeError, "access_token_types takes a sequence"),
        ({"access_token_types": [5]}, TypeError, "values of typ"),
        (
            {"access_token_types": ["at+jwt", "Session+JWT"]},
            ValueError,
            "session.jwt is what this library calls its own",
        ),
    ],
)
def test_a_bad_setting_is_refused(settings, error, sentence):
    for make in (Issuer, Issuer.insecure_for_development):
        with pytest.raises(error, match=sentence):
            make(URL, **settings)


def test_the_url_is_text():
    with pytest.raises(TypeError, match="the URL of the issuer as a str"):
        Issuer(None)


def test_the_defaults_are_the_documented_ones():
    defaults = {one.name: one.default for one in list(inspect.signature(Issuer).parameters.values())[1:]}
    assert dict(defaults.pop("require")) == {}
    assert defaults == {
        "jwks_uri": None,
        "algorithms": ("RS256", "ES256", "EdDSA"),
        "scopes_claim": "scope",
        "subject_claim": "sub",
        "audience_claim": "aud",
        "refresh_every": timedelta(minutes=10),
        "keep_for": timedelta(hours=24),
        "cooldown": timedelta(seconds=30),
        "timeout": timedelta(seconds=5),
        "client": None,
        "access_token_types": None,
    }


def test_the_insecure_one_takes_the_same():
    constructor = get_type_hints(Issuer.__init__)
    assert get_type_hints(IssuerSettings) == {
        name: hint for name, hint in constructor.items() if name not in {"url", "return"}
    }


def test_its_repr_is_short():
    assert repr(Issuer(URL)) == "Issuer('https://idp.example')"
    manager = LoginManager(Issuer(URL), audience="api")
    assert "Issuer('https://idp.example')" in repr(manager.config.tokens.keys)


def imported_by(code):
    """Return the modules that a fresh interpreter has after running code."""
    return set(ran(f"import sys\n{code}\nprint(*sys.modules)").stdout.split())


def ran(script):
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, check=False, text=True, cwd=ROOT)  # noqa: S603


def test_who_uses_no_issuer_imports_neither_the_wing_nor_httpx():
    modules = imported_by("from asgi_login import *\nLoginManager('x' * 20 + 'abcdefghijklmnop')")
    assert "asgi_login.tokens" in modules
    assert not [one for one in modules if one.startswith(("asgi_login.issuers", "httpx", "trio"))]


def test_without_httpx_the_wing_says_what_to_install():
    errors = ran("import sys\nsys.modules['httpx'] = None\nimport asgi_login.issuers").stderr
    assert 'asgi_login.issuers needs httpx 0.27 or later: pip install "asgi-login[issuers]"' in errors

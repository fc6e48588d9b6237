"""One test for each advisory that taught the authors of other libraries a rule, named after it."""

import json
import logging

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from helpers import (
    COOKIE,
    NOW,
    OTHER_SECRET,
    SECRET,
    authenticate,
    b64,
    bearer,
    claims,
    cookie,
    ec_pem,
    hs256,
    make_manager,
    private_pem,
    protected,
    public_pem,
    request,
    rs256,
    rsa_pem,
)

from asgi_login import AuthMiddleware, InvalidToken, Key, LoginManager


def assert_refused(manager, token):
    """See that a token is an invalid token, from the header and from the cookie."""
    for line in (bearer(token), cookie(token)):
        auth = authenticate(manager, line)
        assert (auth.user, auth.claims) == (None, {})
        # Cookies that are longer together are not looked at.
        if line[0] == b"authorization" or len(line[1]) <= 16_384:
            assert isinstance(auth.error, InvalidToken)


def public_formats(pem, algorithm):
    """Write a public key in every format in which it is handed around."""
    key = Key(pem, algorithm).public_key
    formats = [
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    ]
    if algorithm == "RS256":
        formats += [
            key.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
            key.public_bytes(Encoding.DER, PublicFormat.PKCS1),
        ]
    return formats


@pytest.mark.parametrize(("algorithm", "pem"), [("RS256", rsa_pem()), ("ES256", ec_pem())])
def test_pyjwt_cve_2022_29217_a_public_key_is_no_hmac_secret(algorithm, pem):
    manager = make_manager(pem, algorithm=algorithm)
    assert authenticate(manager, bearer(manager.create_access_token(data={"sub": "ada"}))).user == "ada"
    for secret in public_formats(pem, algorithm):
        assert_refused(manager, hs256(secret=secret))
        assert_refused(manager, hs256(header={"alg": algorithm}, secret=secret))


def test_pyjwt_cve_2026_48526_a_public_jwk_is_no_hmac_secret():
    numbers = Key(rsa_pem(), "RS256").public_key.public_numbers()
    jwk = {"kty": "RSA", "n": b64(numbers.n.to_bytes(256, "big")), "e": "AQAB", "kid": "k", "use": "sig"}
    manager = make_manager(rsa_pem(), algorithm="RS256")
    for document in (jwk, {"keys": [jwk]}):
        for text in (json.dumps(document), json.dumps(document, separators=(",", ":")), json.dumps(document, indent=2)):
            assert_refused(manager, hs256(secret=text))
            with pytest.raises(ValueError, match="a JWK"):
                LoginManager(text)


@pytest.mark.parametrize(("algorithm", "pem"), [("RS256", rsa_pem()), ("ES256", ec_pem())])
def test_python_jose_cve_2024_33663_an_openssh_key_is_no_hmac_secret(algorithm, pem):
    ssh = Key(pem, algorithm).public_key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    with pytest.raises(ValueError, match="SSH key"):
        LoginManager(ssh)
    with pytest.raises(ValueError, match="SSH key"):
        LoginManager(ssh + b" me@example.com\n")


def test_authlib_cve_2024_37568_the_algorithm_is_the_keys_and_not_the_tokens():
    manager = make_manager(rsa_pem(), algorithm="RS256")
    for secret in public_formats(rsa_pem(), "RS256"):
        for alg in ("HS256", "HS384", "HS512", "none"):
            assert_refused(manager, hs256(header={"alg": alg}, secret=secret))
    with pytest.raises(ValueError, match="PEM"):
        LoginManager([Key(rsa_pem(), "RS256"), public_pem(rsa_pem())])


@pytest.mark.parametrize("kid", [None, "", "unknown", "__proto__", "constructor"])
def test_fast_jwt_cve_2026_44351_no_kid_leads_to_an_empty_hmac_key(kid):
    for manager in (make_manager(), make_manager([SECRET, OTHER_SECRET]), make_manager(rsa_pem(), algorithm="RS256")):
        for secret in ("", b"\0" * 32, "undefined", "null", "None"):
            assert_refused(
                manager, hs256(header={"alg": "HS256"} | ({} if kid is None else {"kid": kid}), secret=secret)
            )
    for empty in ("", b""):
        with pytest.raises(ValueError, match="at least 32 bytes"):
            LoginManager(empty)


def test_authlib_cve_2026_27962_a_key_in_the_header_verifies_nothing():
    attacker = Key.generate("RS256")
    numbers = attacker.public_key.public_numbers()
    rsa = {"kty": "RSA", "n": b64(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    secret = b"k" * 32
    octets = {"kty": "oct", "k": b64(secret)}
    pem = private_pem(attacker._signing_key)
    for manager in (make_manager(), make_manager(rsa_pem(), algorithm="RS256")):
        assert_refused(manager, rs256(header={"alg": "RS256", "jwk": rsa}, pem=pem))
        assert_refused(manager, rs256(header={"alg": "RS256", "jwk": rsa, "kid": "unknown"}, pem=pem))
        assert_refused(manager, hs256(header={"alg": "HS256", "jwk": octets}, secret=secret))
        assert_refused(manager, hs256(header={"alg": "none", "jwk": octets}, secret=secret))
        assert_refused(manager, f"{b64(json.dumps({'alg': 'none'}))}.{b64(json.dumps(claims()))}.AA")


def test_pyjwt_cve_2026_32597_a_critical_extension_that_nobody_knows_is_refused():
    for crit in (["x-custom-policy"], ["exp"], ["b64"], [], None, "exp", {}, [1], ["x", "x"]):
        assert_refused(make_manager(), hs256(header={"alg": "HS256", "crit": crit, "x-custom-policy": "mfa", "exp": 1}))


@pytest.mark.parametrize("members", [{"crit": ["cnf"], "cnf": {"jkt": "x"}}, {"crit": ["bork"], "bork": "x"}])
def test_authlib_cve_2025_59420_crit_is_refused_though_its_extension_is_there(members):
    assert_refused(make_manager(), hs256(header={"alg": "HS256"} | members))
    without = {name: value for name, value in members.items() if name != "crit"}
    assert authenticate(make_manager(), bearer(hs256(header={"alg": "HS256"} | without))).user == "ada"


@pytest.mark.parametrize("iss", ["", "c", "ac", "acm", "cme", "acme-corp", "acme,evil"])
def test_pyjwt_ghsa_75c5_xw7c_p5pm_an_issuer_is_not_searched_in_a_string(iss):
    manager = make_manager(issuer="acme")
    assert authenticate(manager, bearer(hs256(claims(iss="acme")))).user == "ada"
    assert_refused(manager, hs256(claims(iss=iss)))
    assert_refused(make_manager(audience="acme"), hs256(claims(aud=iss)))


@pytest.mark.parametrize("iss", [["acme"], ["https://evil.example", "acme"], {"acme": 1}, [["acme"]]])
def test_fast_jwt_cve_2025_30144_an_issuer_is_no_list(iss):
    assert_refused(make_manager(issuer="acme"), hs256(claims(iss=iss)))
    assert_refused(make_manager(), hs256(claims(iss=iss)))


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [33, 1_000, 2_500, 100_000])
def test_pyjwt_ghsa_8wjv_2p76_3863_nesting_never_ends_in_a_recursion_error(opening, depth):
    for text in (opening * depth, opening * depth + "0" + opening[::-1].translate({91: 93, 123: 125}) * depth):
        for token in (
            hs256(text.encode()),
            hs256(json.dumps(claims())[:-1].encode() + b',"x":' + text.encode() + b"}"),
            hs256(header=text.encode()),
            hs256(header=b'{"alg":"HS256","x":' + text.encode() + b"}"),
        ):
            assert_refused(make_manager(), token)


def test_cve_2025_65015_no_error_and_no_log_line_holds_the_token(caplog):
    private = "hunter2-hunter2"
    tokens = [
        hs256(claims(sub=private), secret="x" * 32),
        hs256(claims(sub=private, exp=1)),
        hs256(claims(sub=private, aud=private)),
        hs256(claims(sub=private, iss=5, scope=[private])),
        hs256(header={"alg": "HS256", "kid": private}),
        hs256(header={"alg": private, "typ": private}),
        hs256(f'{{"sub":"{private}","sub":"{private}"}}'.encode()),
        hs256(f'{{"sub":"{private}",'.encode()),
        hs256(claims(sub=private)) + "a" * 100_000,
        f"{private}.{private}.{private}",
    ]
    app = protected(make_manager())
    with caplog.at_level(logging.DEBUG):
        for token in tokens:
            auth = authenticate(make_manager(), bearer(token))
            answer = request(app, headers=[bearer(token)])
            assert answer.status == 401
            for text in (repr(auth.error), str(auth.error), repr(vars(auth.error)), repr(auth), repr(answer)):
                assert private not in text
                assert not any(part in text for part in token.split("."))
    assert caplog.records
    assert private not in caplog.text
    assert not any(part in caplog.text for token in tokens for part in token.split("."))
    assert max(len(record.getMessage()) for record in caplog.records) < 200


def test_werkzeug_cve_2023_23934_a_nameless_cookie_does_not_become_a_host_prefixed_one():
    for line in (f"={COOKIE}={hs256()}", f"=={COOKIE}={hs256()}", f" = {COOKIE}={hs256()}", f"a; ={COOKIE}={hs256()}"):
        auth = authenticate(make_manager(), (b"cookie", line.encode()))
        assert (auth.user, auth.error) == (None, None)


@pytest.mark.parametrize(
    "space", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u2000", "\u3000", "\0"]
)
def test_the_host_prefix_is_not_bypassed_by_what_python_strips(space):
    # Browsers let a sub-domain set a cookie whose name only begins with white space of this kind; str.strip() drops it.
    for encoding in ("latin-1", "utf-8"):
        raw = space.encode(encoding, "ignore")
        for name in (raw + COOKIE.encode(), COOKIE.encode() + raw):
            if name != COOKIE.encode():
                auth = authenticate(make_manager(), (b"cookie", name + b"=" + hs256().encode()))
                assert (auth.user, auth.error) == (None, None)


def test_the_host_prefix_is_not_bypassed_by_a_second_cookie_of_another_path():
    tossed = hs256(claims(sub="user1"))
    for lines in ([f"{COOKIE}={tossed}; {COOKIE}={hs256()}"], [f"{COOKIE}={hs256()}", f"{COOKIE}={tossed}"]):
        assert authenticate(make_manager(), *[(b"cookie", line.encode()) for line in lines]).user is None


def test_simplejwt_cve_2024_22513_a_user_who_was_disabled_is_refused_with_every_token():
    active = {"ada"}
    manager = make_manager()

    @manager.user_loader
    async def load(sub):
        return sub if sub in active else None

    token = manager.create_access_token(data={"sub": "ada"}, scopes=["admin"])
    legacy = hs256(claims(scopes=["admin"], auth_time=NOW), {"alg": "HS256", "typ": "JWT"})
    for one in (token, legacy):
        assert authenticate(manager, bearer(one)).user == "ada"
    active.clear()
    for one in (token, legacy):
        assert_refused(manager, one)
        auth = authenticate(manager, bearer(one))
        assert (auth.scopes, auth.fresh, auth.expires_at) == (frozenset(), False, None)


@pytest.mark.parametrize(
    "host",
    [
        "example.com/public?",
        "example.com/public#",
        "example.com/public/..",
        "public",
        "/public",
        "evil.example",
        "example.com:80/public",
        "",
    ],
)
def test_starlette_cve_2026_48710_the_host_never_decides_what_a_path_is(host):
    lines = [(b"host", host.encode()), (b"x-forwarded-host", host.encode()), (b"accept", b"text/html")]
    manager = make_manager(redirect_to="/login")
    assert request(protected(manager, exempt=["/public"]), path="/public", headers=lines).status == 200
    answer = request(protected(manager, exempt=["/public"]), path="/admin", headers=lines)
    assert (answer.status, answer.header("location")) == (303, "/login?next=%2Fadmin")
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["state"]["user"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    for path, user in (("/admin", "ada"), ("/public", None)):
        seen.clear()
        request(AuthMiddleware(app, manager, skip=["/public"]), path=path, headers=[*lines, bearer(hs256())])
        assert seen == [user]

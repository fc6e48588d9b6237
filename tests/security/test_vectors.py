"""Test vectors that others wrote: each goes through the whole middleware, which must neither break nor be fooled.

They lie beside the project, in ../shared/vectors.
"""

import json
from pathlib import Path

import pytest
from helpers import (
    NOW,
    Clock,
    authenticate,
    b64,
    claims,
    hs256,
    http_scope,
    make_manager,
    open_websocket,
    protected,
    request,
    rsa_public_pem,
    run,
    send_request,
    unb64,
    websocket_scope,
)
from issuers.providers import URL, Provider, ready

from asgi_login import (
    BearerTransport,
    CookieTransport,
    InvalidRequest,
    InvalidToken,
    Key,
    safe_next,
)
from asgi_login.jwks import read_set
from asgi_login.tokens import parse_object

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"
if not VECTORS.is_dir():
    pytest.skip("there are no test vectors in ../shared/vectors", allow_module_level=True)

# The tokens were issued at NOW and expire in 2100.
CLOCK = Clock(NOW + 86_400)

# What our contract decides otherwise than the vectors do.
ACCEPTED_HERE = {
    "scope/list": "a list of scopes counts as a text of them does: providers send both",
    "jti/missing": "`jti` is optional on reading: other issuers' tokens count",
    "header/typ missing": "a token without `typ` is an access token: other issuers' tokens count",
}
# safe_next gives paths of this site only, whatever hosts a caller trusts.
NEVER_ANOTHER_HOST = {
    "django/good/'https://testserver/'",
    "django/good/'//testserver/'",
    "django/'http://good.com/good' hosts=['good.com']",
    "django/'https://example.com/p' hosts=['example.com']",
}
# The generator of the file lost the padding that it meant to test.
IDENTICAL_TO_A_VALID_ONE = {
    "wycheproof/json_web_signature_test/tc367/base64/invalidBase64Padding",
    "wycheproof/json_web_signature_test/tc370/base64/invalidBase64PaddingInPayload",
}


def load(name):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def cases(name, where=lambda case: True):
    return [
        pytest.param(case, id=case["name"].encode("ascii", "replace").decode()) for case in load(name) if where(case)
    ]


KEYS = load("wycheproof_keys")
WYCHEPROOF = load("wycheproof_jws_hs256_rs256")
DERIVED = load("wycheproof_derived_jwt")


def kids(all_cases, verdict):
    """Return the kid that good tokens of each key name."""
    found = {}
    for case in all_cases:
        if case[verdict] == "accept" and "." in case["input"]["token"]:
            header = json.loads(unb64(case["input"]["token"].split(".")[0]))
            found.setdefault(case["input"]["key"], header.get("kid"))
    return found


def make_key(description, kid=None):
    if description["kind"] == "hs256":
        return Key(unb64(description["secret_b64url"]), kid=kid)
    if "public_pem" in description:
        return Key(description["public_pem"], "RS256", kid=kid)
    numbers = (int.from_bytes(unb64(description["public_jwk"][name]), "big") for name in "ne")
    return Key(rsa_public_pem(*numbers), "RS256", kid=kid)


def app_for(key, **settings):
    """Return an application behind a gate, and the subjects that were looked up."""
    loaded = []
    settings = {"insecure_any_audience": not key.can_sign} | settings
    manager = make_manager(key, users=None, loaded=loaded, clock=CLOCK, **settings)
    return protected(manager), loaded


def as_bytes(text):
    """Return the bytes that a header string stands for; what is beyond latin-1 can only have been UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def is_accepted(app, token):
    """Send a token as header and as cookie; both must say the same, and neither may break."""
    raw = as_bytes(token)
    served = set()
    for line in ((b"authorization", b"Bearer " + raw), (b"cookie", b"__Host-access-token=" + raw)):
        answer = request(app, headers=[line])
        assert answer.status in {200, 400, 401}
        assert answer.status != 401 or answer.header("www-authenticate")
        served.add(answer.status == 200)
    assert len(served) == 1
    return served.pop()


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("wycheproof_jws_hs256_rs256", 321),
        ("wycheproof_derived_jwt", 283),
        ("rfc_jws", 17),
        ("jwt_attacks", 81),
        ("jwt_hostile_claims", 94),
        ("authorization_header", 29),
        ("cookie_token_templates", 32),
        ("csrf_requests", 31),
        ("open_redirect", 36),
    ],
)
def test_the_files_are_whole(name, count):
    found = load(name)
    assert len(found) >= count
    assert {case["expected"] for case in found} <= {"accept", "reject", "either"}


def is_level(level):
    return lambda case: case["level"].startswith(level)


@pytest.mark.parametrize("case", cases("wycheproof_jws_hs256_rs256", is_level("token")))
def test_wycheproof_tokens(case):
    name = case["input"]["key"]
    app, loaded = app_for(make_key(KEYS[name], kids(WYCHEPROOF, "jws_expected").get(name)))
    # The payloads are no JSON objects, so that even a good signature brings no identity.
    assert not is_accepted(app, case["input"]["token"])
    assert loaded == []


# Reasons for which the claims are refused, once the signature holds; an empty payload is seen before that.
AFTER_THE_SIGNATURE = {"not strict JSON", "not a JSON object"}
WITHOUT_CLAIMS = {"wycheproof/json_web_signature_test/tc259/rs256/emptyPayload"}


@pytest.mark.parametrize("case", cases("wycheproof_jws_hs256_rs256", is_level("token")))
def test_wycheproof_signatures(case):
    name = case["input"]["key"]
    key = make_key(KEYS[name], kids(WYCHEPROOF, "jws_expected").get(name))
    manager = make_manager(key, clock=CLOCK, insecure_any_audience=True)
    raw = as_bytes(case["input"]["token"])
    error = authenticate(manager, (b"cookie", b"__Host-access-token=" + raw)).error
    if case["name"] in WITHOUT_CLAIMS or "outside the base64url alphabet" in case.get("note", ""):
        assert error.reason == "not three parts of base64url"
    elif case["jws_expected"] == "accept" or case["name"] in IDENTICAL_TO_A_VALID_ONE:
        assert error.reason in AFTER_THE_SIGNATURE
    elif error is not None and is_readable(raw.split(b".")[0]):
        assert error.reason not in AFTER_THE_SIGNATURE


def is_readable(header):
    try:
        return isinstance(json.loads(unb64(header.decode())), dict)
    except ValueError:
        return False


@pytest.mark.parametrize("case", cases("wycheproof_jws_hs256_rs256", is_level("key-config")))
def test_wycheproof_keys_that_are_refused_at_construction(case):
    with pytest.raises(ValueError, match=r"needs at least|exponent|ROCA|no PEM of a usable"):
        make_key(KEYS[case["input"]["key"]])


# The file has the material of the first key of each set, without what makes it wrong.
WRONG_MEMBERS = {"rejectWrongUse": {"use": "enc"}, "rejectWrongKeyOps": {"key_ops": ["encrypt"]}}


@pytest.mark.parametrize("case", cases("wycheproof_jws_hs256_rs256", is_level("jwks-import only")))
def test_wycheproof_key_sets(case):
    key, kid = KEYS[case["input"]["key"]], json.loads(unb64(case["input"]["token"].split(".")[0]))["kid"]
    wrong = jwk_of(key) | {"kid": kid} | WRONG_MEMBERS.get(case["name"].rpartition("/")[2], {})
    good = jwk_of(KEYS["json_web_signature_test-g3"]) | {"kid": "good"}
    sets = [[wrong, good], [good, wrong], [wrong, wrong, good]]
    for provider in [Provider(jwks) for jwks in sets]:
        manager = make_manager(ready(provider.issuer()), users=None, clock=CLOCK, insecure_any_audience=True)
        assert [*manager.config.tokens.keys.foreign[0]._source.keys] == ["good"]
        app = protected(manager)
        assert not is_accepted(app, case["input"]["token"])
        if key["kind"] == "hs256":
            header = {"alg": "HS256", "kid": kid}
            assert not is_accepted(app, hs256(claims(iss=URL), header, secret=unb64(key["secret_b64url"])))


@pytest.mark.parametrize("name", [name for name, key in KEYS.items() if "public_jwk" in key])
def test_wycheproof_keys_are_taken_from_a_set_if_they_are_taken_as_a_pem(name):
    try:
        expected = {"one": make_key(KEYS[name]).thumbprint}
    except ValueError:
        expected = {}
    good = jwk_of(KEYS["json_web_signature_test-g3"]) | {"kid": "good"}
    document = {"keys": [jwk_of(KEYS[name]) | {"kid": "one"}, good]}
    keys, _ = read_set(parse_object(json.dumps(document).encode()), ["RS256"])
    assert {kid: key.thumbprint for kid, key in keys.items() if kid == "one"} == expected


def jwk_of(description):
    if description["kind"] == "hs256":
        return {"kty": "oct", "k": description["secret_b64url"]}
    return description["public_jwk"]


@pytest.mark.parametrize("case", cases("wycheproof_derived_jwt"))
def test_wycheproof_mutations_around_real_claims(case):
    name = case["input"]["key"]
    app, loaded = app_for(make_key(KEYS[name], kids(DERIVED, "expected")[name]))
    assert is_accepted(app, case["input"]["token"]) == (case["expected"] == "accept")
    assert set(loaded) == ({"user1"} if case["expected"] == "accept" else set())


@pytest.mark.parametrize("case", cases("rfc_jws"))
def test_examples_of_the_rfcs(case):
    app, loaded = app_for(make_key(case["input"]["key"]))
    assert not is_accepted(app, case["input"]["token"])
    assert loaded == []


@pytest.mark.parametrize("case", cases("jwt_attacks"))
def test_attacks(case):
    key = make_key(KEYS[case["input"]["key"]])
    assert key.algorithm == case["input"]["alg"]
    app, _ = app_for(key)
    assert is_accepted(app, case["input"]["token"]) == (case["expected"] == "accept")


@pytest.mark.parametrize("case", cases("jwt_hostile_claims"))
def test_hostile_claims(case):
    key = make_key(KEYS[case["input"]["key"]])
    settings = {"audience": "api", "issuer": "https://iss"} if " configured/" in case["name"] else {}
    app, _ = app_for(key, **settings)
    recipe = case["input"].get("recipe")
    token = RECIPES[recipe](key) if recipe else case["input"]["token"]
    if recipe:
        assert abs(len(token) - case["input"]["token_bytes"]) < 300
    accepted = is_accepted(app, token)
    if case["name"] in ACCEPTED_HERE:
        assert accepted
    elif case["expected"] != "either":
        assert accepted == (case["expected"] == "accept")


def signed(key, payload):
    return hs256(payload, {"alg": "HS256", "typ": "JWT"}, secret=key._signing_key)


def long_signature(size):
    def make(key):
        body, _, signature = signed(key, claims(sub="user1", exp=4_102_444_800)).rpartition(".")
        return f"{body}.{signature}{'A' * size}"

    return make


# Validly signed where the recipe does not say otherwise: their length is all that is wrong with them.
RECIPES = {
    "100k scopes": lambda key: signed(key, claims(sub="user1", exp=4_102_444_800, scope=" ".join("a" * 100_000))),
    "100 000 members": lambda key: signed(
        key, json.dumps(claims() | {f"m{i}": 0 for i in range(100_000)}, separators=(",", ":")).encode()
    ),
    "100 000 dots": lambda key: "." * 100_000,
    "1 MB junk, no dots": lambda key: "A" * 1_000_000,
    "1 MB signature segment": long_signature(1_000_000),
    "10 MB signature segment": long_signature(10_000_000),
}

GOOD, OTHER = hs256(claims(sub="user1")), hs256(claims(sub="user2"))
PLACEHOLDERS = {
    "{TOKEN}": GOOD,
    "{OTHER}": OTHER,
    "{BAD}": hs256(claims(sub="user1"), secret="x" * 32),
    "{TOKEN_WITH_CNF_JKT}": hs256(claims(sub="user1", cnf={"jkt": b64(bytes(32))})),
    "{TOKEN:%2E}": GOOD.replace(".", "%2E"),
}
OUTCOMES = {None: "anonymous", InvalidRequest: "invalid_request", InvalidToken: "invalid_token"}


def filled(text):
    for placeholder, token in PLACEHOLDERS.items():
        text = text.replace(placeholder, token)
    return text.encode("latin-1")


def outcome(headers, **scope):
    manager = make_manager(users=None, transports=[BearerTransport(), CookieTransport("NAME")])
    lines = [(name, filled(value)) for name, value in headers]
    auth = authenticate(manager, *lines, **scope)
    answer = request(protected(manager), headers=lines, **scope)
    if auth.is_authenticated:
        assert (answer.status, auth.user) == (200, "user1")
        return "authenticated"
    assert answer.status in {400, 401}
    return OUTCOMES[auth.error and type(auth.error)]


@pytest.mark.parametrize("case", cases("authorization_header"))
def test_authorization_headers(case):
    given = case["input"]
    headers = [*given["headers"], *(["cookie", line] for line in given.get("cookies", ()))]
    if "content_type" in given:
        headers.append(["content-type", given["content_type"]])
    scope = {"method": given.get("method", "GET"), "query_string": filled(given.get("query_string", ""))}
    found = outcome(headers, **scope)
    assert found in case["outcome"].split("|")
    assert (found == "authenticated") == (case["expected"] == "accept")


@pytest.mark.parametrize("case", cases("cookie_token_templates"))
def test_cookies(case):
    assert case["input"]["cookie_name"] == "NAME"
    found = outcome(case["input"]["headers"])
    if case["expected"] == "accept":
        assert found == "authenticated"
    else:
        assert found in {"anonymous", "invalid_token"}


@pytest.mark.parametrize("case", cases("csrf_requests"))
def test_cross_site_requests(case):
    given = case["input"]
    transport = CookieTransport(trusted_origins=given["config"].get("trusted_origins", ()))
    manager = make_manager(users=None, transports=[transport])
    headers = [(name, value.encode("latin-1")) for name, value in given["headers"]]
    is_cookie = given["identity"] == "cookie"
    if is_cookie:
        headers.append((b"cookie", f"{transport.cookie_name}={GOOD}".encode()))
    app = protected(manager, exempt=() if is_cookie else ["/"])
    if given["type"] == "websocket":
        scope = websocket_scope(given["path"], headers, scheme=given["scheme"])
        allowed = run(open_websocket(app, scope))[0]["type"] == "websocket.accept"
    else:
        scope = http_scope(given["method"], given["path"], headers, scheme=given["scheme"])
        answer = run(send_request(app, scope))
        assert answer.status in {200, 403}
        allowed = answer.status == 200
    assert allowed == (case["expected"] == "accept")


@pytest.mark.parametrize("case", cases("open_redirect"))
def test_open_redirects(case):
    value = case["input"]["next"]
    found = safe_next(value, "/default")
    if case["expected"] == "accept" and case["name"] not in NEVER_ANOTHER_HOST:
        assert found == value
    else:
        assert found == "/default"


def test_the_exceptions_from_the_vectors_still_exist():
    names = {case["name"] for case in load("jwt_hostile_claims")} | {case["name"] for case in load("open_redirect")}
    assert ACCEPTED_HERE.keys() | NEVER_ANOTHER_HOST <= names
    assert {case["name"] for case in WYCHEPROOF} >= IDENTICAL_TO_A_VALID_ONE | WITHOUT_CLAIMS

"""Properties: what holds for every request, every token and every address, whatever strangers send."""

import json
import re
from types import MappingProxyType
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from helpers import (
    COOKIE,
    NOW,
    Clock,
    authenticate,
    bearer,
    claims,
    cookie,
    ec_pem,
    ed25519_pem,
    hs256,
    http_scope,
    make_manager,
    open_websocket,
    protected,
    request,
    rsa_pem,
    run,
    send_request,
    websocket_scope,
)
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from asgi_login import AuthMiddleware, CookieTransport, Gate, InvalidRequest, InvalidToken, get_auth, safe_next

# A busy machine is no defect.
check = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])

MANAGER = make_manager(users=None, redirect_to="/login")
ISSUED = {
    sub: MANAGER.create_access_token(data={"sub": sub}, scopes=[f"{sub}:read"]) for sub in ("ada", "bob", "broken")
}


class LoaderError(Exception):
    """What the loader of these tests raises by itself."""


@MANAGER.user_loader
async def load(sub):
    if sub == "broken":
        raise LoaderError
    return sub


tokens = st.sampled_from([token.encode() for token in ISSUED.values()])
junk = st.one_of(
    st.binary(max_size=60), st.sampled_from([b"", b" ", b"\t", b";", b",", b"=", b".", b"a.b.c", b"Bearer"])
)
near_tokens = st.one_of(
    tokens,
    tokens,
    junk,
    st.tuples(junk, tokens, junk).map(b"".join),
    st.tuples(tokens, st.integers(0, 300), st.binary(max_size=2)).map(lambda t: t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]),
)


def in_any_case(names):
    return names.flatmap(lambda name: st.sampled_from([name, name.upper(), name.title()]))


schemes = st.sampled_from([b"Bearer ", b"Bearer ", b"bearer  ", b" BEARER ", b"Bearer\t", b"Basic ", b""])
pairs = st.tuples(st.sampled_from([COOKIE.encode(), COOKIE.encode(), b"other", b""]), near_tokens).map(b"=".join)
other_names = in_any_case(
    st.sampled_from([b"origin", b"host", b"sec-fetch-site", b"accept", b"vary", b"x-forwarded-host"])
)
other_values = st.sampled_from(
    [b"https://example.com", b"null", b"example.com", b"same-origin", b"cross-site", b"text/html"]
)
lines = st.one_of(
    st.tuples(in_any_case(st.just(b"authorization")), st.tuples(schemes, near_tokens).map(b"".join)),
    st.tuples(in_any_case(st.just(b"cookie")), st.lists(st.one_of(pairs, junk), max_size=3).map(b"; ".join)),
    st.tuples(other_names, st.one_of(other_values, junk)),
    st.tuples(st.binary(max_size=10), junk),
)
headers = st.lists(lines, max_size=4)
containers = st.sampled_from([list, tuple, iter, lambda lines: (line for line in lines)])
surroundings = st.fixed_dictionaries(
    {},
    optional={
        "client": st.sampled_from([None, ["192.0.2.1", 1], ("", "0"), ("::1", 5), ...]),
        "scheme": st.sampled_from(["http", "https", None, ...]),
        "extensions": st.sampled_from([None, {}, {"websocket.http.response": {}}, ...]),
        "state": st.sampled_from([None, ...]),
        "root_path": st.sampled_from(["", "/app", ...]),
        "query_string": st.one_of(st.binary(max_size=20), st.just(...)),
        "raw_path": st.sampled_from([None, b"/", ...]),
        "server": st.sampled_from([None, ...]),
        "asgi": st.sampled_from([{}, ...]),
    },
)
paths = st.one_of(st.just("/"), st.text(max_size=20).map("/".__add__))
# None makes it a websocket.
methods = st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW", None])


@settings(check, max_examples=400)
@given(sent=headers, container=containers, more=surroundings, path=paths, method=methods)
def test_whatever_arrives_the_outcome_is_an_auth_or_the_loaders_own_exception(sent, container, more, path, method):
    is_websocket = method is None
    scope = websocket_scope(path, **more) if is_websocket else http_scope(method, path, **more)
    scope["headers"] = container(sent)
    seen = []

    async def app(scope, receive, send):
        auth = get_auth(scope)
        seen.append(auth)
        assert list(scope["headers"]) == sent
        assert (scope["state"]["user"], scope["state"]["scopes"]) == (auth.user, auth.scopes)
        await Gate(_ok)(scope, receive, send)

    try:
        answer = run((open_websocket if is_websocket else send_request)(AuthMiddleware(app, MANAGER), scope))
    except LoaderError:
        assert any(ISSUED["broken"].encode() in value for _, value in sent)
        return
    if not is_websocket:
        assert answer.status in {200, 204, 303, 400, 401, 403}
    if not seen:
        assert is_websocket or answer.status == 403
        return
    auth = seen[0]
    if auth.is_authenticated:
        # An identity is one of the tokens that we issued, unchanged and in a place where tokens are read.
        assert auth.user == auth.claims["sub"]
        assert auth.scopes == {f"{auth.user}:read"}
        token = ISSUED[auth.user].encode()
        carrier = b"authorization" if auth.transport == "bearer" else b"cookie"
        assert any(name.lower() == carrier and token in value for name, value in sent)
    else:
        assert (auth.user, auth.claims, auth.scopes) == (None, {}, frozenset())
        assert auth.error is None or isinstance(auth.error, (InvalidToken, InvalidRequest))


async def _ok(scope, receive, send):
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@check
@given(st.one_of(st.binary(max_size=200), st.lists(near_tokens, max_size=4).map(b".".join)))
def test_whatever_bytes_a_token_has_it_is_ours_or_an_invalid_token(token):
    if token.decode("latin-1") in ISSUED.values():
        assert MANAGER.config.tokens.verify(token).claims["sub"] in ISSUED
        return
    with pytest.raises(InvalidToken) as caught:
        MANAGER.config.tokens.verify(token)
    assert caught.value.reason
    assert len(token) < 8 or repr(token)[2:-1] not in caught.value.reason


SIGNERS = {
    "HS256": make_manager(users=None),
    "RS256": make_manager(rsa_pem(), algorithm="RS256", users=None),
    "ES256": make_manager(ec_pem(), algorithm="ES256", users=None),
    "EdDSA": make_manager(ed25519_pem(), algorithm="EdDSA", users=None),
}


@pytest.mark.parametrize("algorithm", SIGNERS)
@check
@given(st.data())
def test_no_change_of_one_byte_leaves_a_token_valid(algorithm, data):
    manager = SIGNERS[algorithm]
    token = manager.create_access_token(data={"sub": "ada"}).encode()
    assert authenticate(manager, bearer(token)).user == "ada"
    at = data.draw(st.integers(0, len(token) - 1))
    kind = data.draw(st.sampled_from(["replace", "insert", "delete", "swap case"]))
    byte = data.draw(st.one_of(st.sampled_from(b"ABCabc019-_.=+/ ;,"), st.integers(0, 255)))
    changed = {
        "replace": token[:at] + bytes([byte]) + token[at + 1 :],
        "insert": token[:at] + bytes([byte]) + token[at:],
        "delete": token[:at] + token[at + 1 :],
        "swap case": token[:at] + token[at : at + 1].swapcase() + token[at + 1 :],
    }[kind]
    # White space around the whole belongs to the header, not to the token.
    assume(changed.strip(b" \t") != token)
    for line in (bearer(changed), cookie(changed)):
        if line[0] == b"cookie" and changed.partition(b";")[0].strip(b" \t") == token:
            continue
        auth = authenticate(manager, line)
        assert not auth.is_authenticated
        assert auth.user is None


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_no_flipped_bit_leaves_a_token_valid(algorithm):
    manager = SIGNERS[algorithm]
    token = manager.create_access_token(data={"sub": "ada"}).encode()
    verify = manager.config.tokens.verify
    assert verify(token).claims["sub"] == "ada"
    for at in range(len(token)):
        for bit in range(8):
            with pytest.raises(InvalidToken):
                verify(token[:at] + bytes([token[at] ^ 1 << bit]) + token[at + 1 :])


neighbours = st.lists(
    st.one_of(st.binary(max_size=40), st.sampled_from([b'a="', b'"', b"$Version=1", b"=", b"", b"x=\xff", b"a=b, c"])),
    max_size=6,
).map(lambda pairs: [pair for pair in pairs if pair.partition(b"=")[0].strip(b" \t;") != COOKIE.encode()])


@check
@given(before=neighbours, after=neighbours, separator=st.sampled_from([b";", b"; ", b" ;\t"]), split=st.booleans())
def test_no_neighbour_hides_our_cookie_or_makes_an_identity(before, after, separator, split):
    pairs = [pair for pair in before + after if not _names_ours(pair)]
    ours = f"{COOKIE}={ISSUED['ada']}".encode()
    lines = [separator.join([*before, ours]), *after] if split else [separator.join([*before, ours, *after])]
    assume(len(pairs) == len(before + after))
    assert authenticate(MANAGER, *[(b"cookie", line) for line in lines]).user == "ada"
    without = authenticate(MANAGER, (b"cookie", separator.join(pairs)))
    assert (without.user, without.error) == (None, None)


def _names_ours(pair):
    return any(one.partition(b"=")[0].strip(b" \t") == COOKIE.encode() for one in pair.split(b";"))


numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
REGISTERED = {"sub", "exp", "iat", "nbf", "jti", "iss", "aud", "cnf", "scope", "scopes", "auth_time"}


def thaw(value):
    """Undo the freezing of claims."""
    if isinstance(value, MappingProxyType):
        return {name: thaw(one) for name, one in value.items()}
    return [thaw(one) for one in value] if isinstance(value, tuple) else value


@check
@given(st.dictionaries(texts.filter(lambda name: name not in REGISTERED), json_values, max_size=6))
def test_what_is_issued_is_what_is_verified(data):
    manager = SIGNERS["HS256"]
    token = manager.create_access_token(data={"sub": "ada", **data})
    read = thaw(authenticate(manager, bearer(token)).claims)
    assert (read.pop("sub"), read.pop("iat"), read.pop("exp")) == ("ada", NOW, NOW + 900)
    assert isinstance(read.pop("jti"), str)
    assert read == data
    assert json.dumps(read, sort_keys=True) == json.dumps(data, sort_keys=True)


# Values on both sides of each rule, for every claim alike: what is right for one is wrong for another.
plausible_values = st.sampled_from(
    [
        *(
            "ada",
            "",
            " ",
            "a b",
            "read write",
            "read  write",
            "x" * 255,
            "x" * 256,
            "a\nb",
            "\x85",
            "\xa0",
            str(NOW + 600),
        ),
        *(0, 1, NOW - 1, NOW, NOW + 1, NOW + 0.5, NOW + 600, -1, 253_402_300_799, 253_402_300_800, 1e300, True, False),
        *([], ["read"], ["read", "write"], ["read", 5], ["read write"], [""], None, {}, {"read": 1}),
    ]
)
right_values = {
    "sub": texts.filter(bool),
    "exp": st.integers(NOW + 1, 253_402_300_799),
    "scope": st.lists(st.sampled_from(["read", "a:b", "!"]), max_size=3).map(" ".join),
    "scopes": st.lists(st.sampled_from(["read", "a:b", "!"]), max_size=3),
    **dict.fromkeys(("iat", "nbf", "auth_time"), st.floats(0, NOW)),
    **dict.fromkeys(("jti", "iss"), texts.filter(bool)),
    **dict.fromkeys(("aud", "cnf"), st.nothing()),
}
claim_changes = st.lists(
    st.sampled_from(sorted(REGISTERED)).flatmap(
        lambda name: st.tuples(
            st.just(name), st.one_of(right_values[name], right_values[name], plausible_values, json_values)
        )
    ),
    min_size=1,
    max_size=3,
).map(dict)


@settings(check, max_examples=400)
@given(changes=claim_changes)
@example(changes={"exp": True})
@example(changes={"sub": ["ada"]})
def test_a_signed_token_is_accepted_only_if_every_claim_is_of_its_type_and_holds(changes):
    payload = claims(**changes)
    auth = authenticate(SIGNERS["HS256"], bearer(hs256(payload)))
    assert auth.is_authenticated == _holds(payload)
    if auth.is_authenticated:
        assert auth.user == payload["sub"]


def _is_text(value):
    return type(value) is str and 1 <= len(value) <= 255 and not re.search(r"[\x00-\x1f\x7f-\x9f]", value)


def _is_date(value):
    return type(value) in {int, float} and 0 <= value <= 253_402_300_799


def _is_scope(value):
    return type(value) is str and re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", value) is not None


def _holds(payload):
    """Say again, in other words than the code, what a token without configured issuer and audience must be."""
    scope, scopes = payload.get("scope", ""), payload.get("scopes", [])
    return (
        _is_text(payload["sub"])
        and all(_is_text(payload[name]) for name in ("jti", "iss") if name in payload)
        and _is_date(payload["exp"])
        and payload["exp"] > NOW
        and all(
            _is_date(payload[name]) and payload[name] <= NOW for name in ("iat", "nbf", "auth_time") if name in payload
        )
        and not {"aud", "cnf"} & payload.keys()
        and not payload.keys() >= {"scope", "scopes"}
        and (scope == "" or type(scope) in {str, list})
        and (scope == "" or all(map(_is_scope, scope.split(" ") if type(scope) is str else scope)))
        and type(scopes) is list
        and all(map(_is_scope, scopes))
    )


header_values = st.sampled_from(
    [
        "HS256",
        "hs256",
        "none",
        "JWT",
        "jwt",
        "at+jwt",
        "application/at+jwt",
        "session+jwt",
        "",
        None,
        [],
        True,
        ["HS256"],
    ]
)
members = st.dictionaries(
    st.sampled_from(
        [
            "alg",
            "alg",
            "typ",
            "typ",
            "foo",
            "x5t",
            "kid",
            "crit",
            "b64",
            "zip",
            "enc",
            "cty",
            "jwk",
            "jku",
            "x5u",
            "x5c",
        ]
    ),
    st.one_of(header_values, header_values, json_values),
    max_size=2,
)


@settings(check, max_examples=400)
@given(changes=members)
@example(changes={"crit": []})
@example(changes={"typ": "session+jwt"})
def test_a_signed_token_is_accepted_only_if_its_header_says_nothing_else(changes):
    header = {"alg": "HS256"} | changes
    typ = header.get("typ", "JWT")
    harmless = (
        header["alg"] == "HS256"
        and header.keys() <= {"alg", "typ", "x5t", "foo"}
        and type(typ) is str
        and typ.lower() in {"jwt", "at+jwt", "application/jwt", "application/at+jwt"}
    )
    token = hs256(header=header)
    auth = authenticate(SIGNERS["HS256"], bearer(token))
    assert auth.is_authenticated == (harmless and len(token.partition(".")[0]) <= 1_024)


addresses = st.one_of(
    st.text(st.sampled_from("//\\\\\t\n\r .:@?#%ae\x00\x7f\x85\xa0\u2028"), max_size=12),
    st.text(st.sampled_from("//\\\\\t\n\r .:@?#%ae"), max_size=12).map("/".__add__),
    st.text(st.sampled_from("//\\\\\t\n\r "), max_size=6).map(lambda text: f"/{text}evil.example"),
    st.text(st.sampled_from("/abc.:@?#%=&~ü "), max_size=12).map("/".__add__),
    st.text(max_size=20),
)


@settings(check, max_examples=1_000)
@given(addresses)
@example("/\t/evil.example")
@example("/\\evil.example")
@example("\t//evil.example")
def test_safe_next_never_leaves_the_site(value):
    target = safe_next(value, "/default")
    assert target in {value, "/default"}
    _assert_same_site(target)


@check
@given(
    path=addresses.filter(lambda path: path.startswith("/")),
    root=st.sampled_from(["", "/app", "//evil.example", "/\\evil.example"]),
    query=st.binary(max_size=20),
)
def test_a_login_redirect_never_leaves_the_site_through_next(path, root, query):
    answer = request(
        protected(MANAGER), path=path, root_path=root, query_string=query, headers=[(b"accept", b"text/html")]
    )
    if answer.status != 303:
        assert path in {"/login", "/app/login"}
        return
    location = answer.header("location")
    _assert_same_site(location)
    [target] = parse_qs(urlsplit(location).query, strict_parsing=True)["next"]
    assert safe_next(target, "refused") == target
    _assert_same_site(target)


def _assert_same_site(target):
    joined = urlsplit(urljoin("https://site.example/a/b", target))
    assert (joined.scheme, joined.netloc) == ("https", "site.example")
    # As the URL standard reads it (https://url.spec.whatwg.org/#concept-basic-url-parser): controls and spaces around
    # it are dropped, tabs and newlines everywhere, and a backslash is a slash.
    read = re.sub(r"[\t\n\r]", "", target.strip("".join(map(chr, range(0x21))))).replace("\\", "/")
    assert read.startswith("/")
    assert not read.startswith("//")


@check
@given(value=st.one_of(st.text(max_size=40), st.sampled_from(["a;b", "a\r\nb", "a b", "é", "t" * 5_000])))
def test_a_set_cookie_line_holds_one_cookie_or_is_not_written(value):
    transport = CookieTransport()
    try:
        name, line = transport.set_cookie_header(value)
    except ValueError as refusal:
        assert len(value) < 5 or value not in str(refusal)  # noqa: PT017 - either outcome is right
    else:
        assert name == b"set-cookie"
        assert line == f"{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax".encode("ascii")
        assert not set(line) & set(b'\r\n\0",\\')
        assert line.count(b";") == 4


origins = st.one_of(
    st.none(), st.binary(max_size=20), st.sampled_from([b"null", b"https://example.com", b"https://evil.example"])
)
sites = st.one_of(
    st.none(), st.binary(max_size=12), st.sampled_from([b"same-origin", b"none", b"same-site", b"cross-site"])
)
hosts = st.one_of(
    st.none(), st.binary(max_size=12), st.sampled_from([b"example.com", b"example.com:443", b"EXAMPLE.com"])
)


@settings(check, max_examples=400)
@given(origin=origins, site=sites, host=hosts, scheme=st.sampled_from(["http", "https"]))
def test_a_foreign_origin_never_acts_with_a_cookie(origin, site, host, scheme):
    found = {b"origin": origin, b"sec-fetch-site": site, b"host": host}
    lines = [(name, value) for name, value in found.items() if value is not None]
    app = protected(MANAGER)
    answer = request(app, "POST", headers=[*lines, cookie(ISSUED["ada"])], scheme=scheme)
    assert answer.status in {200, 403}
    says_own = (site or b"").lower() in {b"same-origin", b"none"}
    says_nothing = not site and not origin
    names_host = (
        not site and bool(origin) and origin.partition(b"://")[2] == (host or b"").lower().removesuffix(b":443")
    )
    if not (says_own or says_nothing or names_host):
        assert answer.status == 403
    if says_own or says_nothing:
        assert answer.status == 200


@check
@given(st.text(st.sampled_from("/.staicdmn%2f\\"), max_size=24).map("/static".__add__))
@example("/static/../admin")
@example("/staticadmin")
def test_an_exempt_path_opens_whole_segments_below_it_and_no_others(path):
    app = AuthMiddleware(Gate(_ok, exempt=["/static"]), make_manager(clock=Clock()))
    segments = path.split("/")
    below = segments[1] == "static" and not {".", ".."} & set(segments)
    assert request(app, path=path).status == (200 if below else 401)

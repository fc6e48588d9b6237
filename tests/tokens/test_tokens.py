"""Tokens: what is issued, and every way in which one that arrives can be wrong."""

import hmac
import json
import socket
from datetime import timedelta
from types import MappingProxyType

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from helpers import (
    COOKIE,
    NOW,
    SECRET,
    Clock,
    authenticate,
    b64,
    bearer,
    claims,
    cookie,
    ec_pem,
    ed25519_pem,
    hs256,
    make_manager,
    other_rsa_pem,
    parts,
    public_pem,
    rs256,
    rsa_pem,
    unb64,
)

from asgi_login import InsufficientScope, InvalidRequest, InvalidToken, Key
from asgi_login.tokens import codec

YEAR_9999 = 253_402_300_799
URLSAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def accepted(token, manager=None, **settings):
    """Send a good token both ways and return its Auth."""
    manager = manager or make_manager(**settings)
    for line in (bearer(token), cookie(token)):
        auth = authenticate(manager, line)
        assert auth.error is None
        assert auth.is_authenticated
        assert auth.user == auth.claims["sub"]
    return auth


def refused(token, manager=None, **settings):
    """Send a bad token both ways, see that nobody is logged in, and return the error of the header's."""
    loaded = []
    manager = manager or make_manager(users=None, loaded=loaded, **settings)
    from_header, from_cookie = authenticate(manager, bearer(token)), authenticate(manager, cookie(token))
    for auth in (from_header, from_cookie):
        assert not auth.is_authenticated
        assert auth.user is None
        assert auth.claims == {}
        assert auth.scopes == frozenset()
        assert auth.expires_at is None
    assert loaded == []
    assert from_cookie.error is None or type(from_cookie.error) is InvalidToken
    assert isinstance(from_header.error, (InvalidToken, InvalidRequest))
    return from_header.error


class TestShape:
    def test_the_token_that_the_others_are_made_from_is_good(self):
        assert accepted(hs256()).claims == claims()

    @pytest.mark.parametrize("count", [0, 1, 2, 4, 5])
    def test_other_than_three_parts_are_refused(self, count):
        token = ".".join((hs256().split(".") * 2)[:count])
        refused(token or ".")

    @pytest.mark.parametrize("extra", ["=", "==", " ", "\n", "\r\n", "\t", "?", "+", "/", "\0", "é", "\u2028", "%3D"])
    def test_a_character_outside_the_alphabet_is_refused(self, extra):
        token = hs256()
        dots = [i for i, character in enumerate(token) if character == "."]
        inside = [5, *dots, *(dot + 1 for dot in dots), dots[0] + 5, len(token) - 5]
        # White space around the whole is not part of the token: RFC 9110 §5.5 for a header, RFC 6265bis for a cookie.
        ends = [] if extra in " \t" else [0, len(token)]
        for at in inside + ends:
            refused(token[:at] + extra + token[at:])

    @pytest.mark.parametrize("part", [0, 1])
    @pytest.mark.parametrize("extra", ["=", "==", "?", " ", "\n"])
    def test_it_is_refused_even_where_the_signature_covers_it(self, part, extra):
        pieces = hs256().split(".")[:2]
        pieces[part] += extra
        signed = ".".join(pieces)
        refused(f"{signed}.{b64(hmac.digest(SECRET.encode(), signed.encode(), 'sha256'))}")

    @pytest.mark.parametrize("part", [0, 1, 2])
    def test_an_empty_part_is_refused(self, part):
        pieces = hs256().split(".")
        pieces[part] = ""
        refused(".".join(pieces))

    @pytest.mark.parametrize("part", [0, 1, 2])
    def test_unused_bits_in_the_last_character_are_refused(self, part):
        # RFC 4648 §3.5: a second spelling of one token would slip past whatever remembers tokens by their text.
        payload = json.dumps(claims()).encode()
        payload += b" " * ((1 - len(payload)) % 3)
        header = b'{"alg":"HS256"}'
        header += b" " * ((1 - len(header)) % 3)
        pieces = hs256(payload, header).split(".")
        accepted(".".join(pieces))
        last = URLSAFE.index(pieces[part][-1])
        pieces[part] = pieces[part][:-1] + URLSAFE[last + 1]
        if part < 2:
            signed = ".".join(pieces[:2])
            pieces[2] = b64(hmac.digest(SECRET.encode(), signed.encode(), "sha256"))
        refused(".".join(pieces))

    @pytest.mark.parametrize("part", [0, 1, 2])
    def test_a_part_that_no_bytes_encode_to_is_refused(self, part):
        pieces = hs256().split(".")
        pieces[part] += "A" * ((1 - len(pieces[part])) % 4 or 4)
        assert len(pieces[part]) % 4 == 1
        refused(".".join(pieces))

    def test_bearer_inside_the_token_is_refused(self):
        refused("bearer" + hs256())

    def test_json_serializations_are_refused(self):
        header, payload, signature = hs256().split(".")
        flattened = {"protected": header, "payload": payload, "signature": signature}
        general = {"payload": payload, "signatures": [{"protected": header, "signature": signature}]}
        for form in (flattened, general):
            refused(json.dumps(form))
            refused(json.dumps(form, separators=(",", ":")))

    def test_an_encrypted_token_is_refused(self):
        header = b64('{"alg":"dir","enc":"A256GCM"}')
        refused(f"{header}..{b64(bytes(12))}.{b64(b'ciphertext')}.{b64(bytes(16))}")

    def test_a_nested_token_is_refused(self):
        refused(hs256(hs256().encode(), {"alg": "HS256", "cty": "JWT"}))
        refused(hs256(hs256().encode(), {"alg": "HS256"}))


class TestAlgorithm:
    @pytest.mark.parametrize(
        "alg",
        [
            "none",
            "None",
            "NONE",
            "nOnE",
            "",
            "hs256",
            "HS256 ",
            " HS256",
            "HS384",
            "HS512",
            "RS256",
            "HS256\u0000",
            None,
            True,
            256,
            ["HS256"],
            {"HS256": 1},
            ...,
        ],
    )
    def test_an_alg_other_than_the_keys_own_is_refused(self, alg):
        header = {"typ": "at+jwt"} if alg is ... else {"alg": alg, "typ": "at+jwt"}
        refused(hs256(header=header))

    @pytest.mark.parametrize("signature", ["", "AA", b64(bytes(32))])
    @pytest.mark.parametrize("alg", ["none", "None", "NONE"])
    def test_an_unsecured_token_is_refused(self, alg, signature):
        header, payload = b64(json.dumps({"alg": alg})), b64(json.dumps(claims()))
        refused(f"{header}.{payload}.{signature}")
        refused(f"{header}.{payload}")

    @pytest.mark.parametrize("digest", ["sha384", "sha512"])
    def test_another_hash_under_the_same_secret_is_refused(self, digest):
        header = b64(json.dumps({"alg": f"HS{digest[3:]}"}))
        signed = f"{header}.{b64(json.dumps(claims()))}"
        refused(f"{signed}.{b64(hmac.digest(SECRET.encode(), signed.encode(), digest))}")

    @pytest.mark.parametrize("header", [{"alg": "HS256"}, {"alg": "RS256"}])
    def test_the_public_key_is_no_hmac_secret_in_any_of_its_encodings(self, header):
        manager = make_manager(rsa_pem(), algorithm="RS256")
        accepted(rs256(), manager)
        key = Key(rsa_pem(), "RS256").public_key
        pem = public_pem(rsa_pem())
        pkcs1 = key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ssh = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        numbers = key.public_numbers()
        n = numbers.n.to_bytes(256, "big")
        jwk = {"e": "AQAB", "kty": "RSA", "n": b64(n)}
        secrets = [
            *(form for one in (pem, pkcs1) for form in (one, one.strip(), one.replace(b"\n", b"\r\n"))),
            *(b"".join(one.splitlines()[1:-1]) for one in (pem, pkcs1)),
            der,
            key.public_bytes(Encoding.DER, PublicFormat.PKCS1),
            ssh,
            ssh.split()[1],
            json.dumps(jwk).encode(),
            json.dumps(jwk, separators=(",", ":")).encode(),
            json.dumps({"keys": [jwk]}).encode(),
            n,
            b64(n).encode(),
            str(numbers.n).encode(),
            f"{numbers.n:x}".encode(),
            b"",
            Key(rsa_pem(), "RS256").kid.encode(),
        ]
        for secret in secrets:
            refused(hs256(header=header, secret=secret), manager)

    def test_a_key_of_the_senders_own_is_refused(self):
        manager = make_manager(rsa_pem(), algorithm="RS256")
        refused(rs256(pem=other_rsa_pem()), manager)

    def test_an_rsa_key_verifies_its_own_padding_only(self):
        pss = make_manager(rsa_pem(), algorithm="PS256")
        token = pss.create_access_token(data={"sub": "ada"})
        manager = make_manager(rsa_pem(), algorithm="RS256")
        refused(token, manager)
        _, payload, signature = token.split(".")
        refused(f"{b64(json.dumps({'alg': 'RS256'}))}.{payload}.{signature}", manager)


class TestHeader:
    @pytest.mark.parametrize("name", ["crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"])
    @pytest.mark.parametrize("value", [None, [], "", True, False, ["b64"], "JWT", {}, "https://attacker.example/jwks"])
    def test_extensions_and_keys_of_its_own_are_refused_whatever_their_value(self, name, value):
        refused(hs256(header={"alg": "HS256", name: value}))

    def test_a_member_that_nobody_knows_is_ignored(self):
        # RFC 7515 §4: what is not understood and not critical must be ignored.
        accepted(hs256(header={"alg": "HS256", "x5t": "abc", "foo": {"bar": [1]}}))

    def test_a_key_in_the_header_is_never_fetched_or_used(self, monkeypatch):
        def connect(*args, **kwargs):
            raise AssertionError("a connection was opened")

        monkeypatch.setattr(socket, "socket", connect)
        monkeypatch.setattr(socket, "getaddrinfo", connect)
        secret = b"k" * 32
        jwk = {"kty": "oct", "k": b64(secret)}
        refused(hs256(header={"alg": "HS256", "jwk": jwk}, secret=secret))
        refused(hs256(header={"alg": "HS256", "jku": "http://127.0.0.1:9/jwks.json", "kid": "k"}, secret=secret))

    @pytest.mark.parametrize(
        "header",
        [
            b'{"alg":"HS256","alg":"HS256"}',
            b'{"alg":"none","alg":"HS256"}',
            b'{"alg":"HS256","\\u0061lg":"HS256"}',
            b'{"typ":"at+jwt","alg":"HS256","typ":"at+jwt"}',
            b'{"alg":"HS256","x":{"a":1,"a":1}}',
        ],
    )
    def test_a_duplicate_member_is_refused(self, header):
        refused(hs256(header=header))

    @pytest.mark.parametrize(
        "header",
        [
            b"",
            b"null",
            b"[]",
            b'["alg"]',
            b'"HS256"',
            b"1",
            b"{'alg':'HS256'}",
            b'{"alg":"HS256",}',
            b'{"alg":"HS256"}{}',
            b'{"alg":"HS256","x":NaN}',
            b'{"alg":"HS256","x":Infinity}',
            b'{"alg":"HS256","x":1e400}',
            b'{"alg":"HS256","x":"\\ud800"}',
            b'{"alg":"HS256","x":"\xff"}',
            b'{"alg":"HS256","x":"\xc0\xaf"}',
            b'{"alg":"HS256","x":"\xed\xa0\x80"}',
            b'{"alg":"HS256","x":"a\nb"}',
            b"\xef\xbb\xbf" + b'{"alg":"HS256"}',
            '{"alg":"HS256"}'.encode("utf-16"),
            '{"alg":"HS256"}'.encode("utf-16-le"),
            '{"alg":"HS256"}'.encode("utf-32"),
        ],
    )
    def test_a_header_that_is_no_strict_json_object_is_refused(self, header):
        assert type(refused(hs256(header=header))) is InvalidToken

    def test_white_space_and_escapes_of_json_are_allowed(self):
        accepted(hs256(header=b' {\n "alg" : "\\u0048S256",\r\n\t"typ":"JWT" } '))

    @pytest.mark.parametrize(
        "kid", ["", "unknown", None, 5, True, ["a"], {}, "x" * 129, "a\nb", "\u0000", "../../dev/null"]
    )
    def test_a_kid_that_is_not_ours_is_refused_even_where_there_is_one_key(self, kid):
        refused(hs256(header={"alg": "HS256", "kid": kid}))

    @pytest.mark.parametrize("kid", [Key(SECRET).kid + " ", Key(SECRET).kid.upper(), Key(SECRET).kid[:-1]])
    def test_a_kid_is_compared_exactly(self, kid):
        accepted(hs256(header={"alg": "HS256", "kid": Key(SECRET).kid}))
        refused(hs256(header={"alg": "HS256", "kid": kid}))

    def test_a_kid_with_a_lone_surrogate_is_refused(self):
        refused(hs256(header=b'{"alg":"HS256","kid":"\\udc00"}'))

    @pytest.mark.parametrize(
        "typ",
        ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT", "JWT", "jwt", "application/jwt", "Jwt", ...],
    )
    def test_an_access_token_says_at_jwt_or_jwt_or_nothing(self, typ):
        accepted(hs256(header={"alg": "HS256"} if typ is ... else {"alg": "HS256", "typ": typ}))

    @pytest.mark.parametrize(
        "typ",
        [
            *("session+jwt", "remember+jwt", "SESSION+JWT", "application/session+jwt", "application/remember+jwt"),
            *("refresh+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "oauth-authz-req+jwt", "id+jwt"),
            *("", " JWT", "JWT ", "jose", "JWT\u0000", "application/", "application/application/jwt", "at+jwt;v=1"),
            *(None, 5, True, ["JWT"], {}),
        ],
    )
    def test_a_token_of_another_kind_is_no_access_token(self, typ):
        refused(hs256(header={"alg": "HS256", "typ": typ}))

    def test_a_header_of_1024_bytes_is_read_and_a_longer_one_is_not(self):
        def header(size):
            base = json.dumps({"alg": "HS256", "x": ""}).encode()
            return base[:-2] + b"a" * (size - len(base)) + base[-2:]

        exact = hs256(header=header(768))
        assert len(exact.split(".")[0]) == 1024
        accepted(exact)
        longer = hs256(header=header(769))
        assert len(longer.split(".")[0]) == 1026
        refused(longer)

    def test_a_header_nested_32_deep_is_read_and_a_deeper_one_is_not(self):
        for depth, verdict in ((31, accepted), (32, refused), (350, refused)):
            verdict(hs256(header=b'{"alg":"HS256","x":' + b"[" * depth + b"0" + b"]" * depth + b"}"))

    def test_headers_are_remembered_of_good_tokens_only_and_not_without_end(self):
        manager = make_manager()
        remembered = manager.config.tokens._known_headers
        refused(hs256(header={"alg": "HS256", "x": 1}, secret="x" * 32), manager)
        refused(hs256(claims(exp=1), header={"alg": "HS256", "x": 1}), manager)
        assert len(remembered) == len({"access", "session", "remember"})
        for i in range(200):
            accepted(hs256(header={"alg": "HS256", "x": i}), manager)
        assert len(remembered) == 64

    def test_a_remembered_header_does_not_vouch_for_a_signature(self):
        manager = make_manager()
        good = hs256(header={"alg": "HS256", "x": 1})
        accepted(good, manager)
        refused(hs256(header={"alg": "HS256", "x": 1}, secret="x" * 32), manager)
        accepted(good, manager)


class TestSignature:
    @pytest.fixture(params=["HS256", "RS256", "PS256", "ES256", "EdDSA"])
    def signed(self, request):
        keys = {"HS256": SECRET, "ES256": ec_pem(), "EdDSA": ed25519_pem()}
        manager = make_manager(keys.get(request.param, rsa_pem()), algorithm=request.param)
        return manager, manager.create_access_token(data={"sub": "ada"})

    @pytest.mark.parametrize(
        "change",
        {
            "cut": lambda s: s[:-1],
            "longer": lambda s: s + b"\0",
            "zero in front": lambda s: b"\0" + s,
            "zeros": lambda s: bytes(len(s)),
            "ones": lambda s: b"\xff" * len(s),
            "one": lambda s: b"\1".rjust(len(s), b"\0"),
            "empty": lambda s: b"\0",
            "twice": lambda s: s + s,
            "reversed": lambda s: s[::-1],
            "first bit": lambda s: bytes([s[0] ^ 0x80]) + s[1:],
            "last bit": lambda s: s[:-1] + bytes([s[-1] ^ 1]),
        }.items(),
        ids=lambda change: change[0],
    )
    def test_another_signature_is_refused(self, signed, change):
        manager, token = signed
        accepted(token, manager)
        body, _, signature = token.rpartition(".")
        error = refused(f"{body}.{b64(change[1](unb64(signature)))}", manager)
        assert type(error) is InvalidToken

    def test_the_signature_of_other_claims_is_refused(self, signed):
        manager, token = signed
        header, payload, signature = token.split(".")
        changed = b64(json.dumps(json.loads(unb64(payload)) | {"sub": "user1"}))
        refused(f"{header}.{changed}.{signature}", manager)

    def test_an_rsa_signature_at_or_above_the_modulus_is_refused(self):
        manager = make_manager(rsa_pem(), algorithm="RS256")
        body, _, signature = rs256().rpartition(".")
        modulus = Key(rsa_pem(), "RS256").public_key.public_numbers().n
        number = int.from_bytes(unb64(signature), "big")
        for other in (0, 1, modulus, modulus - 1, modulus + number, modulus - number):
            refused(f"{body}.{b64(other.to_bytes(257, 'big')[-257:].removeprefix(bytes(1)))}", manager)

    def test_a_der_signature_is_no_jws_signature(self):
        key = Key(ec_pem(), "ES256")
        signed = ".".join(b64(json.dumps(part)) for part in ({"alg": "ES256"}, claims()))
        der = key._signing_key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        refused(f"{signed}.{b64(der)}", make_manager(key))

    def test_what_a_stranger_wrote_is_not_parsed_before_its_signature_holds(self, monkeypatch):
        parsed = []
        parse = codec.parse_object
        monkeypatch.setattr(codec, "parse_object", lambda text: parsed.append(text) or parse(text))
        payload = json.dumps(claims()).encode()
        refused(hs256(payload, secret="x" * 32))
        assert payload not in parsed
        accepted(hs256(payload))
        assert payload in parsed

    def test_macs_are_compared_in_constant_time(self, monkeypatch):
        compared = []
        original = hmac.compare_digest
        monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or original(a, b))
        token = hs256()
        accepted(token)
        assert len(compared) == 1
        assert unb64(token.rpartition(".")[2]) in compared[0]


class TestPayload:
    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"null",
            b"1",
            b'"ada"',
            b"[]",
            b"[{}]",
            json.dumps(claims()).encode() + b"{}",
            json.dumps(claims()).encode() + b",",
            json.dumps(claims()).replace('"', "'").encode(),
            json.dumps(claims()).encode("utf-16"),
            json.dumps(claims()).encode("utf-16-be"),
            json.dumps(claims()).encode("utf-32"),
            b"\xef\xbb\xbf" + json.dumps(claims()).encode(),
            json.dumps(claims())[:-1].encode() + b',"x":"\xff"}',
            json.dumps(claims())[:-1].encode() + b',"x":"\xc0\x80"}',
            json.dumps(claims())[:-1].encode() + b',"x":"\xed\xa0\x80\xed\xb0\x80"}',
            json.dumps(claims())[:-1].encode() + b',"x":"\\ud800"}',
            json.dumps(claims())[:-1].encode() + b',"\\udfff":1}',
            json.dumps(claims())[:-1].encode() + b',"x":{"y":["\\ud800"]}}',
            json.dumps(claims())[:-1].encode() + b',"x":NaN}',
            json.dumps(claims())[:-1].encode() + b',"x":-Infinity}',
            json.dumps(claims())[:-1].encode() + b',"x":[1e400]}',
            json.dumps(claims())[:-1].encode() + b',"x":"\x00"}',
            json.dumps(claims())[:-1].encode() + b',"x":' + b"9" * 5000 + b"}",
            json.dumps(claims())[:-1].encode() + b',"sub":"ada"}',
            json.dumps(claims())[:-1].encode() + b',"s\\u0075b":"user1"}',
            json.dumps(claims())[:-1].encode() + b',"x":{"a":1,"a":1}}',
            json.dumps(claims())[:-1].encode() + b',"x":[{"a":1,"a":2}]}',
        ],
    )
    def test_claims_that_are_no_strict_json_object_are_refused(self, payload):
        assert type(refused(hs256(payload))) is InvalidToken

    @pytest.mark.parametrize("opening", [b"[", b'{"a":'])
    def test_claims_nested_32_deep_are_read_and_deeper_ones_are_not(self, opening):
        def nested(depth):
            closing = b"}" if opening == b'{"a":' else b"]"
            return json.dumps(claims())[:-1].encode() + b',"x":' + opening * depth + b"0" + closing * depth + b"}"

        accepted(hs256(nested(31)))
        refused(hs256(nested(32)))

    def test_claims_nested_without_end_are_refused(self):
        refused(hs256(json.dumps(claims())[:-1].encode() + b',"x":' + b"[" * 2900 + b"]" * 2900 + b"}"))

    def test_surrogate_pairs_are_characters(self):
        auth = accepted(hs256(json.dumps(claims())[:-1].encode() + b',"x":"\\ud83d\\ude00"}'))
        assert auth.claims["x"] == "\N{GRINNING FACE}"

    def test_a_token_of_8192_bytes_is_read_and_a_longer_one_is_not(self):
        lengths = {}
        for spare in range(12):
            # Base64 makes four characters of three bytes, so that header and payload together hit every length.
            for pad in range(5_900, 6_000):
                token = hs256(claims(x="a" * pad), {"alg": "HS256", "x": "a" * spare})
                lengths.setdefault(len(token), token)
            if {8_192, 8_193} <= lengths.keys():
                break
        assert authenticate(make_manager(), bearer(lengths[8_192])).user == "ada"
        assert authenticate(make_manager(), cookie(lengths[8_192])).user == "ada"
        refused(lengths[8_193])


class TestTimes:
    @pytest.mark.parametrize(
        "exp",
        [
            ...,
            None,
            True,
            False,
            "",
            str(NOW + 600),
            f"{NOW + 600:_}",
            f" {NOW + 600}",
            "٤١٠٢٤٤٤٨٠٠",
            [NOW + 600],
            {},
            -1,
            -0.5,
            0,
            YEAR_9999 + 1,
            YEAR_9999 + 0.5,
            1e308,
            10**30,
        ],
    )
    def test_an_exp_that_is_no_numeric_date_is_refused(self, exp):
        refused(hs256(claims(exp=exp)))

    @pytest.mark.parametrize("name", ["nbf", "iat", "auth_time"])
    @pytest.mark.parametrize(
        "value", [None, True, False, "", str(NOW - 5), "-1", [NOW], {}, -1, -0.5, 1e308, 10**30, YEAR_9999 + 1]
    )
    def test_another_time_that_is_no_numeric_date_is_refused(self, name, value):
        refused(hs256(claims(**{name: value})))

    @pytest.mark.parametrize("name", ["exp", "nbf", "iat", "auth_time"])
    @pytest.mark.parametrize(
        "number", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"0x10", b"01", b"1.", b".5", b"+1"]
    )
    def test_a_time_that_json_cannot_say_is_refused(self, name, number):
        payload = json.dumps(claims(**{name: ...}))[:-1].encode() + b',"' + name.encode() + b'":' + number + b"}"
        refused(hs256(payload))

    def test_the_last_second_of_the_year_9999_is_a_time(self):
        assert accepted(hs256(claims(exp=YEAR_9999))).expires_at == YEAR_9999

    def test_times_may_have_fractions(self):
        auth = accepted(hs256(claims(exp=NOW + 0.5, iat=NOW - 0.25, nbf=NOW - 0.0)))
        assert auth.expires_at == NOW + 0.5

    def test_a_token_is_dead_at_its_exp_not_after_it(self):
        clock = Clock()
        manager = make_manager(clock=clock)
        token = hs256(claims(exp=NOW + 1))
        accepted(token, manager)
        clock.now = NOW + 0.999
        accepted(token, manager)
        clock.now = NOW + 1
        error = refused(token, manager)
        assert error.expired
        assert error.description == "The token has expired"

    @pytest.mark.parametrize("name", ["nbf", "iat", "auth_time"])
    def test_a_time_in_the_future_is_refused_until_it_comes(self, name):
        clock = Clock()
        manager = make_manager(clock=clock)
        token = hs256(claims(**{name: NOW + 1}))
        error = refused(token, manager)
        assert not error.expired
        clock.now = NOW + 1
        accepted(token, manager)

    def test_the_optional_times_may_be_missing(self):
        accepted(hs256(claims(iat=..., nbf=..., auth_time=..., jti=...)))

    def test_leeway_is_granted_to_every_time_alike_and_not_a_second_more(self):
        manager = make_manager(leeway=timedelta(seconds=30))
        accepted(hs256(claims(exp=NOW - 29)), manager)
        refused(hs256(claims(exp=NOW - 30)), manager)
        for name in ("nbf", "iat", "auth_time"):
            accepted(hs256(claims(**{name: NOW + 30})), manager)
            refused(hs256(claims(**{name: NOW + 31})), manager)

    @pytest.mark.parametrize("years", [-2000, -10, 10, 2000, 10**6])
    def test_a_clock_that_jumps_refuses_and_breaks_nothing(self, years):
        clock = Clock()
        manager = make_manager(clock=clock)
        accepted(hs256(), manager)
        clock.now += years * 365 * 86_400
        refused(hs256(), manager)
        clock.now = NOW
        accepted(hs256(), manager)

    def test_only_expiry_is_told_to_the_client(self):
        manager = make_manager()
        others = {
            refused(token, manager).description
            for token in (
                hs256(secret="x" * 32),
                hs256(claims(nbf=NOW + 60)),
                hs256(header={"alg": "HS256", "kid": "unknown"}),
                hs256(claims(sub=5)),
                "a.b.c",
            )
        }
        assert others == {"The token is invalid"}

    def test_freshness_is_counted_from_auth_time(self):
        clock = Clock()
        manager = make_manager(clock=clock)
        token = hs256(claims(exp=NOW + 10_000, auth_time=NOW - 599))
        assert accepted(token, manager).fresh
        auth = authenticate(manager, bearer(token))
        clock.now = NOW + 1
        assert auth.fresh
        clock.now = NOW + 1.5
        assert not auth.fresh
        assert not accepted(token, manager).fresh
        assert not accepted(hs256(claims(exp=NOW + 10_000)), manager).fresh


class TestStrings:
    @pytest.mark.parametrize(
        "sub",
        [
            ...,
            None,
            "",
            1,
            0,
            True,
            1.5,
            [],
            ["ada"],
            {},
            {"$ne": None},
            "a" * 256,
            "a\nb",
            "a\0b",
            "a\x7fb",
            "a\x85b",
            "\x1b[31m",
        ],
    )
    def test_a_sub_that_names_nobody_is_refused_before_the_loader_sees_it(self, sub):
        refused(hs256(claims(sub=sub)))

    def test_a_sub_with_a_lone_surrogate_is_refused(self):
        payload = json.dumps(claims()).replace('"ada"', '"\\ud800"').encode()
        refused(hs256(payload))

    @pytest.mark.parametrize(
        "sub", ["a" * 255, "ü", "u\u0308", "ada ", " ", "a b", "\N{GRINNING FACE}", "a'--", "../x"]
    )
    def test_a_sub_reaches_the_loader_as_it_stands(self, sub):
        loaded = []
        manager = make_manager(users=None, loaded=loaded)
        assert authenticate(manager, bearer(hs256(claims(sub=sub)))).user == sub
        assert loaded == [sub]

    @pytest.mark.parametrize("jti", [None, "", 1, [], "a" * 256, "a\nb", "\0"])
    def test_a_jti_that_is_no_id_is_refused(self, jti):
        refused(hs256(claims(jti=jti)))

    @pytest.mark.parametrize(
        "cnf", [None, {}, {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, {"x5t#S256": "a"}]
    )
    def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(self, cnf):
        refused(hs256(claims(cnf=cnf)))

    def test_unknown_claims_are_kept_and_do_nothing(self):
        strange = {"__class__": "x", "__init__": 1, "user": "root", "is_authenticated": False, "{0}": "%s", "": None}
        auth = accepted(hs256(claims(**strange)))
        assert auth.claims == claims(**strange)
        assert auth.user == "ada"


class TestIssuerAndAudience:
    def test_an_issuer_is_written_and_required(self):
        manager = make_manager(issuer="https://issuer.example")
        token = manager.create_access_token(data={"sub": "ada"})
        assert parts(token)[1]["iss"] == "https://issuer.example"
        accepted(token, manager)
        refused(hs256(), manager)

    @pytest.mark.parametrize(
        "iss",
        [
            "https://issuer.example/",
            "https://issuer.exampl",
            "HTTPS://issuer.example",
            "https://issuer.example:443",
            "https://issuer.example ",
            "",
            None,
            5,
            ["https://issuer.example"],
            {"https://issuer.example": 1},
        ],
    )
    def test_an_issuer_is_compared_exactly(self, iss):
        accepted(hs256(claims(iss="https://issuer.example")), issuer="https://issuer.example")
        refused(hs256(claims(iss=iss)), issuer="https://issuer.example")

    def test_any_issuer_counts_where_none_is_configured_if_it_is_one(self):
        accepted(hs256(claims(iss="https://somebody.example")))
        for iss in ("", None, 5, ["a"], "a\nb"):
            refused(hs256(claims(iss=iss)))

    def test_an_audience_is_written_and_required(self):
        manager = make_manager(audience="api")
        token = manager.create_access_token(data={"sub": "ada"})
        assert parts(token)[1]["aud"] == "api"
        accepted(token, manager)
        refused(hs256(), manager)

    @pytest.mark.parametrize("aud", ["api", ["api"], ["other", "api"]])
    def test_an_audience_is_a_string_or_one_of_a_list(self, aud):
        accepted(hs256(claims(aud=aud)), audience="api")

    @pytest.mark.parametrize(
        "aud", ["a", "api2", "API", "api ", "", "other", [], ["a", "p", "i"], ["other"], None, 5, {"api": 1}, True]
    )
    def test_another_audience_is_refused(self, aud):
        refused(hs256(claims(aud=aud)), audience="api")

    @pytest.mark.parametrize("aud", [["api", 5], ["api", None], ["api", ["api"]]])
    def test_an_audience_that_is_no_list_of_strings_is_refused(self, aud):
        refused(hs256(claims(aud=aud)), audience="api")
        refused(hs256(claims(aud=aud)), insecure_any_audience=True)

    @pytest.mark.parametrize("aud", ["api", ["api"], [], "", None, 5])
    def test_an_audience_where_none_is_configured_is_refused(self, aud):
        refused(hs256(claims(aud=aud)))

    @pytest.mark.parametrize("aud", [..., "api", ["a", "b"], []])
    def test_any_audience_is_a_choice_that_says_insecure(self, aud):
        accepted(hs256(claims(aud=aud)), insecure_any_audience=True)

    @pytest.mark.parametrize("aud", [None, 5, True, {}, [5]])
    def test_any_audience_is_still_an_audience(self, aud):
        refused(hs256(claims(aud=aud)), insecure_any_audience=True)


class TestScopes:
    @pytest.mark.parametrize(
        ("granted", "scopes"),
        [
            ({}, set()),
            ({"scope": ""}, set()),
            ({"scope": "read"}, {"read"}),
            ({"scope": "read write"}, {"read", "write"}),
            ({"scope": "read read"}, {"read"}),
            ({"scope": "!#$%&'()*+,-./:;<=>?@[]^_`{|}~ https://a.example/b.read"}, ...),
            ({"scopes": []}, set()),
            ({"scopes": ["read"]}, {"read"}),
            ({"scopes": ["read", "write"]}, {"read", "write"}),
        ],
    )
    def test_scope_is_a_string_and_scopes_a_list(self, granted, scopes):
        expected = set(granted["scope"].split(" ")) if scopes is ... else scopes
        auth = accepted(hs256(claims(**granted)))
        assert type(auth.scopes) is frozenset
        assert auth.scopes == expected

    @pytest.mark.parametrize(
        "scope",
        [
            *(None, 5, True, [], ["read"], {"read": 1}),
            *(" ", "read  write", " read", "read ", "read\twrite", "read\u00a0write", "read\u2028write", "read\u3000x"),
            *("read\r\nX: y", "read\n", 'read"', "read\\", "réad", "read\0", "\x7f"),
        ],
    )
    def test_a_scope_that_rfc_6749_does_not_know_is_refused(self, scope):
        refused(hs256(claims(scope=scope)))

    @pytest.mark.parametrize(
        "scopes", [None, 5, True, "read", "", {"read": 1}, [5], [None], [""], ["read write"], ["a\nb"], [["read"]]]
    )
    def test_scopes_that_are_no_list_of_scopes_are_refused(self, scopes):
        refused(hs256(claims(scopes=scopes)))

    @pytest.mark.parametrize(("scope", "scopes"), [("read", ["read"]), ("", []), ("read", None)])
    def test_scope_and_scopes_together_are_refused(self, scope, scopes):
        refused(hs256(claims(scope=scope, scopes=scopes)))

    @pytest.mark.parametrize("needed", ["read", "READ", "bread:writ", "b", "bread:write ", "write"])
    def test_a_scope_is_granted_whole_or_not_at_all(self, needed):
        auth = accepted(hs256(claims(scope="bread:write")))
        auth.require("bread:write")
        with pytest.raises((InsufficientScope, ValueError)):
            auth.require(needed)

    def test_scopes_come_from_the_token_alone(self):
        class Root(str):
            __slots__ = ()
            scopes = frozenset({"admin"})

        manager = make_manager()

        @manager.user_loader
        async def load(sub):
            return Root(sub)

        auth = authenticate(manager, bearer(hs256(claims(scope="read"))))
        assert auth.user.scopes == {"admin"}
        assert auth.scopes == {"read"}
        with pytest.raises(InsufficientScope):
            auth.require("admin")


class TestImmutable:
    def test_claims_cannot_be_changed_at_any_depth(self):
        auth = accepted(hs256(claims(a={"b": [{"c": 1}, [2]]}, roles=["x"])))
        a = auth.claims["a"]
        for mapping in (auth.claims, a, a["b"][0]):
            assert isinstance(mapping, MappingProxyType)
            with pytest.raises(TypeError):
                mapping["sub"] = "root"
            with pytest.raises(TypeError):
                del mapping["sub"]
            for method in ("update", "pop", "clear", "setdefault"):
                assert not hasattr(mapping, method)
        assert a["b"] == (MappingProxyType({"c": 1}), (2,))
        assert type(auth.claims["roles"]) is tuple

    def test_an_auth_cannot_be_changed(self):
        auth = accepted(hs256())
        for name in ("user", "claims", "scopes", "error", "transport", "manager", "fresh", "expires_at", "new"):
            with pytest.raises(AttributeError):
                setattr(auth, name, None)
        assert not hasattr(auth, "__dict__")


class TestIssue:
    def test_an_access_token_says_what_it_is(self):
        manager = make_manager(clock=Clock(NOW + 0.9))
        header, payload = parts(manager.create_access_token(data={"sub": "ada"}))
        assert header == {"alg": "HS256", "typ": "at+jwt", "kid": Key(SECRET).kid}
        jti = payload.pop("jti")
        assert payload == {"sub": "ada", "iat": NOW, "exp": NOW + 900}
        assert len(unb64(jti)) >= 16

    def test_each_token_has_a_jti_of_its_own(self):
        manager = make_manager()
        ids = {parts(manager.create_access_token(data={"sub": "ada"}))[1]["jti"] for _ in range(100)}
        assert len(ids) == 100

    def test_expires_is_how_long_it_lives(self):
        manager = make_manager(default_expiry=timedelta(hours=2))
        create = manager.create_access_token
        assert parts(create(data={"sub": "ada"}))[1]["exp"] == NOW + 7200
        assert parts(create(data={"sub": "ada"}, expires=timedelta(seconds=1)))[1]["exp"] == NOW + 1
        assert parts(create(data={"sub": "ada"}, expires=timedelta(days=3650)))[1]["exp"] == NOW + 3650 * 86_400

    @pytest.mark.parametrize("expires", [timedelta(0), timedelta(seconds=-1), timedelta.min])
    def test_a_lifetime_that_is_not_positive_is_refused_and_not_replaced(self, expires):
        with pytest.raises(ValueError, match="expires must be positive"):
            make_manager().create_access_token(data={"sub": "ada"}, expires=expires)

    @pytest.mark.parametrize("expires", [60, 0, 60.0, "60", True])
    def test_a_lifetime_is_a_timedelta(self, expires):
        with pytest.raises(TypeError, match="expires is a timedelta"):
            make_manager().create_access_token(data={"sub": "ada"}, expires=expires)

    def test_a_lifetime_past_the_year_9999_is_refused(self):
        with pytest.raises(ValueError, match="exp"):
            make_manager().create_access_token(data={"sub": "ada"}, expires=timedelta.max)

    def test_a_lifetime_that_ends_within_the_second_makes_no_dead_token(self):
        manager = make_manager(clock=Clock(NOW + 0.1))
        token = manager.create_access_token(data={"sub": "ada"}, expires=timedelta(milliseconds=10))
        accepted(token, manager)

    @pytest.mark.parametrize("sub", [..., None, "", 7, True, b"ada", ["ada"], {"id": 1}, "a" * 256, "a\nb", "\ud800"])
    def test_a_sub_is_a_str_that_names_the_user(self, sub):
        with pytest.raises(TypeError, match=r'data\["sub"\] must be a str'):
            make_manager().create_access_token(data={} if sub is ... else {"sub": sub})

    def test_an_own_exp_iat_and_jti_are_replaced(self):
        data = {"sub": "ada", "exp": 1, "iat": 10**12, "jti": 5}
        payload = parts(make_manager().create_access_token(data=data))[1]
        assert (payload["exp"], payload["iat"]) == (NOW + 900, NOW)
        assert isinstance(payload["jti"], str)

    def test_an_own_iss_and_aud_are_replaced_where_they_are_configured(self):
        manager = make_manager(issuer="us", audience="api")
        payload = parts(manager.create_access_token(data={"sub": "ada", "iss": "them", "aud": "other"}))[1]
        assert (payload["iss"], payload["aud"]) == ("us", "api")

    def test_the_data_is_left_as_it_was(self):
        data = {"sub": "ada", "x": [1]}
        make_manager().create_access_token(data=data, scopes=["read"])
        assert data == {"sub": "ada", "x": [1]}

    def test_data_is_any_mapping(self):
        token = make_manager().create_access_token(data=MappingProxyType({"sub": "ada", "n": 1}))
        assert accepted(token).claims["n"] == 1

    def test_scopes_become_the_claim_scope(self):
        create = make_manager().create_access_token
        assert parts(create(data={"sub": "ada"}, scopes=["b", "a", "b"]))[1]["scope"] == "b a"
        assert parts(create(data={"sub": "ada"}, scopes=(s for s in ("x",))))[1]["scope"] == "x"
        assert "scope" not in parts(create(data={"sub": "ada"}))[1]
        assert accepted(create(data={"sub": "ada"}, scopes=["b", "a"])).scopes == {"a", "b"}

    def test_scopes_may_stand_in_the_data(self):
        create = make_manager().create_access_token
        assert accepted(create(data={"sub": "ada", "scope": "a b"})).scopes == {"a", "b"}
        assert accepted(create(data={"sub": "ada", "scopes": ["a", "b"]})).scopes == {"a", "b"}

    @pytest.mark.parametrize("scopes", ["read", b"read", None, 5, [5], [None], [b"read"]])
    def test_scopes_are_strings_one_by_one(self, scopes):
        with pytest.raises(TypeError, match="scopes takes"):
            make_manager().create_access_token(data={"sub": "ada"}, scopes=scopes)

    @pytest.mark.parametrize("scope", ["", " ", "a b", 'a"', "a\\", "a\n", "é", "a\0"])
    def test_a_scope_is_one_scope_token(self, scope):
        with pytest.raises(ValueError, match="is no scope"):
            make_manager().create_access_token(data={"sub": "ada"}, scopes=["ok", scope])

    @pytest.mark.parametrize("name", ["scope", "scopes"])
    def test_scopes_are_given_in_one_place(self, name):
        with pytest.raises(ValueError, match="pass them as scopes="):
            make_manager().create_access_token(data={"sub": "ada", name: "a"}, scopes=["b"])

    @pytest.mark.parametrize(
        "extra",
        [
            {"aud": "api"},
            {"iss": 5},
            {"nbf": "now"},
            {"nbf": NOW + 60},
            {"auth_time": NOW + 60},
            {"auth_time": True},
            {"scope": ["a"]},
            {"scope": "a  b"},
            {"scopes": "a"},
            {"scope": "a", "scopes": ["a"]},
            {"cnf": {"jkt": "x"}},
            {"x": float("nan")},
            {"x": float("inf")},
            {"x": "\ud800"},
            {"x": json.loads("[" * 33 + "]" * 33)},
            {"pad": "a" * 8_192},
        ],
        ids=repr,
    )
    def test_a_token_that_would_be_refused_is_not_issued(self, extra):
        with pytest.raises(ValueError):
            make_manager().create_access_token(data={"sub": "ada", **extra})

    @pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, 1j, timedelta(1)])
    def test_a_claim_without_a_json_form_is_a_type_error(self, value):
        with pytest.raises(TypeError):
            make_manager().create_access_token(data={"sub": "ada", "x": value})

    def test_the_longest_token_that_is_issued_is_read(self):
        manager = make_manager()

        def issue(pad):
            return manager.create_access_token(data={"sub": "ada", "pad": "a" * pad})

        spare = (8_192 - len(issue(0))) * 3 // 4
        longest = issue(spare)
        assert len(longest) >= 8_190
        accepted(longest, manager)
        with pytest.raises(ValueError, match="more than the 8192 that are read"):
            issue(spare + 3)

    def test_no_refusal_quotes_a_claim(self):
        for extra in ({"nbf": "hunter2-hunter2"}, {"scope": "hunter2-hunter2  x"}, {"x": "hunter2-hunter2\ud800"}):
            with pytest.raises(ValueError) as caught:
                make_manager().create_access_token(data={"sub": "ada", **extra})
            assert "hunter2" not in str(caught.value)


class TestKinds:
    def test_the_cookie_is_called_as_the_browser_protects_it(self):
        assert authenticate(make_manager(), cookie(hs256(), COOKIE)).transport == "cookie"

    def test_an_auth_tells_where_it_came_from(self):
        manager = make_manager(name="web")
        auth = authenticate(manager, bearer(hs256()))
        assert (auth.transport, auth.manager, auth.expires_at) == ("bearer", "web", NOW + 600)
        refusal = authenticate(manager, bearer("a.b.c"))
        assert (refusal.transport, refusal.manager, refusal.expires_at) == ("bearer", "web", None)
        anonymous = authenticate(manager)
        assert (anonymous.transport, anonymous.manager, anonymous.error) == (None, None, None)

"""The form of a token: three parts of base64url, a header and claims in strict JSON."""

import hmac
import json
import socket

import pytest
from helpers import SECRET, authenticate, b64, bearer, claims, hs256, make_manager
from tokens.verdict import accepted, refused

from asgi_login import InvalidToken, Key

URLSAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


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
        refused(hs256(claims(sub=""), header={"alg": "HS256", "x": 1}), manager)
        assert len(remembered) == len({"access", "session", "remember", "refresh"})
        for i in range(200):
            accepted(hs256(header={"alg": "HS256", "x": i}), manager)
        assert len(remembered) == 64

    def test_a_remembered_header_does_not_vouch_for_a_signature(self):
        manager = make_manager()
        good = hs256(header={"alg": "HS256", "x": 1})
        accepted(good, manager)
        refused(hs256(header={"alg": "HS256", "x": 1}, secret="x" * 32), manager)
        accepted(good, manager)


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

    def test_a_token_of_16384_bytes_is_read_and_a_longer_one_is_not(self):
        lengths = {}
        for spare in range(12):
            # Base64 makes four characters of three bytes, so that header and payload together hit every length.
            for pad in range(12_040, 12_140):
                token = hs256(claims(x="a" * pad), {"alg": "HS256", "x": "a" * spare})
                lengths.setdefault(len(token), token)
            if {16_384, 16_385} <= lengths.keys():
                break
        assert authenticate(make_manager(), bearer(lengths[16_384])).user == "ada"
        refused(lengths[16_385])

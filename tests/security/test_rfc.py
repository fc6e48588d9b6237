"""Examples and requirements of the RFCs that apply, each test citing its section."""

import hashlib
import json
from datetime import timedelta

import pytest
from helpers import (
    NOW,
    OTHER_SECRET,
    SECRET,
    Clock,
    authenticate,
    b64,
    bearer,
    claims,
    cookie,
    hs256,
    http_scope,
    make_manager,
    parts,
    pem_of,
    protected,
    request,
    rsa_public_pem,
    run,
    unb64,
)

from asgi_login import (
    AuthMiddleware,
    CookieTransport,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    Key,
    NotAuthenticated,
)

# RFC 7515 §A.1.1; RFC 7519 §3.1 has the same example.
HMAC_KEY = unb64("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
HMAC_TOKEN = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
# RFC 7515 §A.2.1.
RSA_MODULUS = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCg"
    "NMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xs"
    "mtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
)
RSA_TOKEN = (
    "eyJhbGciOiJSUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1"
    "dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwu"
    "sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
# RFC 7515 §A.3.1, its public key as SubjectPublicKeyInfo.
EC_POINT = unb64("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU") + unb64("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
EC_PEM = pem_of("PUBLIC KEY", bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + EC_POINT)
EC_TOKEN = (
    "eyJhbGciOiJFUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
# RFC 8037 §A.2 and §A.4.
ED25519_PEM = pem_of(
    "PUBLIC KEY", bytes.fromhex("302a300506032b6570032100") + unb64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
)
ED25519_TOKEN = (
    "eyJhbGciOiJFZERTQSJ9"
    ".RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


class TestJWS:
    """RFC 7515."""

    @pytest.mark.parametrize(
        ("key", "token", "beyond_the_signature"),
        [
            (Key(HMAC_KEY), HMAC_TOKEN, "sub: "),
            (Key(rsa_public_pem(int.from_bytes(unb64(RSA_MODULUS), "big"), 65537), "RS256"), RSA_TOKEN, "sub: "),
            (Key(EC_PEM, "ES256"), EC_TOKEN, "sub: "),
            (Key(ED25519_PEM, "EdDSA"), ED25519_TOKEN, "not "),
        ],
        ids=["RFC 7515 A.1", "RFC 7515 A.2", "RFC 7515 A.3", "RFC 8037 A.4"],
    )
    def test_the_signatures_of_the_examples_hold_and_only_their_claims_do_not(self, key, token, beyond_the_signature):
        manager = make_manager(key, clock=Clock(1_300_819_370), insecure_any_audience=not key.can_sign)
        error = authenticate(manager, bearer(token)).error
        assert error.reason.startswith(beyond_the_signature)
        body, _, signature = token.rpartition(".")
        other = ("A" if signature[0] != "A" else "B") + signature[1:]
        assert authenticate(manager, bearer(f"{body}.{other}")).error.reason == "wrong signature"

    def test_a_5_an_unsecured_token_is_refused(self):
        token = (
            "eyJhbGciOiJub25lIn0"
            ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        )
        manager = make_manager(clock=Clock(1_300_819_370))
        assert isinstance(authenticate(manager, bearer(token)).error, InvalidToken)

    def test_appendix_e_an_extension_that_must_be_understood_is_refused(self):
        header = (
            b'{"alg":"HS256",\r\n "crit":["http://example.com/UNDEFINED"],\r\n "http://example.com/UNDEFINED":true\r\n}'
        )
        assert isinstance(authenticate(make_manager(), bearer(hs256(header=header))).error, InvalidToken)

    def test_section_2_base64url_has_no_padding_line_breaks_or_white_space(self):
        for character in ("=", "\n", " ", "\r\n"):
            for part in range(3):
                pieces = hs256().split(".")
                pieces[part] = pieces[part][:8] + character + pieces[part][8:]
                assert authenticate(make_manager(), cookie(".".join(pieces))).user is None

    def test_section_4_member_names_are_unique(self):
        for header in (b'{"alg":"HS256","alg":"HS256"}', b'{"alg":"HS256","x":1,"x":2}'):
            assert authenticate(make_manager(), bearer(hs256(header=header))).user is None

    def test_section_4_1_1_alg_is_case_sensitive_and_required(self):
        for header in ({"alg": "hs256"}, {"alg": "Hs256"}, {}):
            assert authenticate(make_manager(), bearer(hs256(header=header))).user is None

    def test_section_4_1_4_kid_is_a_case_sensitive_string(self):
        manager = make_manager(Key(SECRET, kid="Key"))
        assert authenticate(manager, bearer(hs256(header={"alg": "HS256", "kid": "Key"}))).user == "ada"
        for kid in ("key", "KEY", 5, None):
            assert authenticate(manager, bearer(hs256(header={"alg": "HS256", "kid": kid}))).user is None

    def test_section_4_1_9_typ_is_a_media_type_without_case_and_application_may_be_left_out(self):
        for typ in ("JWT", "jwt", "application/JWT", "at+jwt", "application/at+jwt"):
            assert authenticate(make_manager(), bearer(hs256(header={"alg": "HS256", "typ": typ}))).user == "ada"

    def test_section_7_2_the_json_serialization_is_no_token_here(self):
        header, payload, signature = hs256().split(".")
        document = json.dumps({"protected": header, "payload": payload, "signature": signature}, separators=(",", ":"))
        assert authenticate(make_manager(), cookie(document)).user is None


class TestJWT:
    """RFC 7519 and RFC 8725."""

    def test_section_2_a_numeric_date_may_have_a_fraction(self):
        assert authenticate(make_manager(), bearer(hs256(claims(exp=NOW + 0.5)))).user == "ada"

    def test_section_4_claim_names_are_unique_and_unknown_claims_are_ignored(self):
        twice = json.dumps(claims())[:-1].encode() + b',"sub":"ada"}'
        assert authenticate(make_manager(), bearer(hs256(twice))).user is None
        assert authenticate(make_manager(), bearer(hs256(claims(unknown=[1])))).user == "ada"

    def test_section_4_1_3_whoever_is_not_in_the_audience_refuses(self):
        for aud, user in (("api", "ada"), (["x", "api"], "ada"), ("x", None), (["x"], None), (..., None)):
            assert authenticate(make_manager(audience="api"), bearer(hs256(claims(aud=aud)))).user == user
        assert authenticate(make_manager(), bearer(hs256(claims(aud="api")))).user is None

    def test_section_4_1_4_exp_is_a_time_on_or_after_which_a_token_is_refused(self):
        for exp, user in ((NOW - 1, None), (NOW, None), (NOW + 1, "ada")):
            assert authenticate(make_manager(), bearer(hs256(claims(exp=exp)))).user == user

    def test_section_4_1_4_a_leeway_is_no_more_than_a_few_minutes(self):
        with pytest.raises(ValueError, match="leeway"):
            make_manager(leeway=timedelta(minutes=6))

    def test_section_4_1_5_nbf_is_a_time_before_which_a_token_is_refused(self):
        for nbf, user in ((NOW - 1, "ada"), (NOW, "ada"), (NOW + 1, None)):
            assert authenticate(make_manager(), bearer(hs256(claims(nbf=nbf)))).user == user

    def test_section_7_2_the_claims_are_utf_8_and_an_object(self):
        for payload in (json.dumps(claims()).encode("utf-16"), json.dumps([claims()]).encode(), b'"x"'):
            assert authenticate(make_manager(), bearer(hs256(payload))).user is None

    def test_rfc_8725_section_3_1_a_key_is_used_with_one_algorithm(self):
        token = make_manager(SECRET * 2, algorithm="HS512").create_access_token(data={"sub": "ada"})
        assert authenticate(make_manager(SECRET * 2, algorithm="HS256"), bearer(token)).user is None

    def test_rfc_8725_section_3_5_a_secret_has_the_entropy_of_its_hash(self):
        with pytest.raises(ValueError, match="at least 32 bytes"):
            make_manager("k" * 31)

    def test_rfc_8725_section_3_8_the_issuer_is_the_configured_one(self):
        manager = make_manager(issuer="https://issuer.example")
        assert authenticate(manager, bearer(hs256(claims(iss="https://issuer.example")))).user == "ada"
        assert authenticate(manager, bearer(hs256(claims(iss="https://other.example")))).user is None

    def test_rfc_8725_section_3_11_what_is_issued_has_an_explicit_type(self):
        assert parts(make_manager().create_access_token(data={"sub": "ada"}))[0]["typ"] == "at+jwt"


class TestAccessTokens:
    """RFC 9068 and RFC 8693."""

    def test_section_2_1_and_2_2_what_is_issued_is_an_access_token(self):
        manager = make_manager(issuer="https://issuer.example", audience="https://api.example")
        data = {"sub": "5ba552d67", "client_id": "s6BhdRkqt3"}
        header, payload = parts(manager.create_access_token(data=data, scopes=["openid", "profile", "reademail"]))
        assert header["typ"] == "at+jwt"
        assert payload.keys() == {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope"}
        assert payload["scope"] == "openid profile reademail"

    def test_section_4_both_spellings_of_its_type_are_read(self):
        for typ in ("at+jwt", "application/at+jwt"):
            assert authenticate(make_manager(), bearer(hs256(header={"alg": "HS256", "typ": typ}))).user == "ada"

    def test_section_4_an_unsecured_token_is_refused(self):
        token = f"{b64(json.dumps({'alg': 'none', 'typ': 'at+jwt'}))}.{b64(json.dumps(claims()))}."
        assert authenticate(make_manager(), bearer(token)).user is None

    def test_rfc_8693_section_4_2_scope_is_one_string_with_spaces(self):
        auth = authenticate(make_manager(), bearer(hs256(claims(scope="email profile phone address"))))
        assert auth.scopes == {"email", "profile", "phone", "address"}

    def test_rfc_6749_section_3_3_scopes_are_case_sensitive(self):
        auth = authenticate(make_manager(), bearer(hs256(claims(scope="email"))))
        with pytest.raises(InsufficientScope):
            auth.require("Email")

    def test_rfc_9449_section_7_2_a_token_bound_to_a_key_is_not_sent_as_bearer(self):
        token = hs256(claims(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))
        assert isinstance(authenticate(make_manager(), bearer(token)).error, InvalidToken)


class TestBearer:
    """RFC 6750 and RFC 9470."""

    def test_section_2_1_the_example_is_read_as_a_bearer_token(self):
        # mF_9.B5f-4.1JqM is no JWT, but it is the credential that was sent.
        auth = authenticate(make_manager(), (b"authorization", b"Bearer mF_9.B5f-4.1JqM"))
        assert auth.transport == "bearer"
        assert isinstance(auth.error, InvalidToken)

    def test_section_2_2_and_2_3_tokens_in_body_and_query_are_not_read(self):
        body = (b"content-type", b"application/x-www-form-urlencoded")
        query = b"access_token=" + hs256().encode()
        assert authenticate(make_manager(), body, method="POST", query_string=query).error is None

    @pytest.mark.parametrize("line", [None, bearer("junk"), (b"authorization", b"Bearer"), bearer(hs256())])
    def test_section_3_every_refusal_has_a_challenge_with_a_parameter(self, line):
        app = protected(make_manager(realm="example"), scopes=["needed"])
        answer = request(app, headers=[line] if line else [])
        assert answer.header("www-authenticate").startswith('Bearer realm="example"')

    def test_section_3_the_examples(self):
        assert _challenge(NotAuthenticated(), "example") == 'Bearer realm="example"'
        expected = 'Bearer realm="example", error="invalid_token", error_description="The token has expired"'
        assert _challenge(InvalidToken(expired=True), "example") == expected

    def test_section_3_1_the_codes_and_their_status(self):
        scoped = protected(make_manager(), scopes=["needed"])
        for line, status, code in (
            ((b"authorization", b"Bearer a b"), 400, "invalid_request"),
            (bearer("junk"), 401, "invalid_token"),
            (bearer(hs256()), 403, "insufficient_scope"),
        ):
            answer = request(scoped, headers=[line])
            assert answer.status == status
            assert f'error="{code}"' in answer.header("www-authenticate")
        assert 'scope="needed"' in answer.header("www-authenticate")

    def test_section_3_1_without_a_credential_there_is_no_error_code(self):
        answer = request(protected(make_manager()))
        assert answer.status == 401
        assert "error" not in answer.header("www-authenticate")

    def test_section_5_3_a_token_in_a_cookie_does_not_travel_in_the_clear_and_is_safe_from_forgery(self):
        assert b"; Secure;" in CookieTransport().set_cookie_header(hs256())[1]
        lines = [cookie(hs256()), (b"sec-fetch-site", b"cross-site")]
        assert request(protected(make_manager()), "POST", headers=lines).status == 403

    def test_rfc_9470_section_3_a_login_that_is_too_old_has_its_own_code(self):
        answer = request(protected(make_manager(), fresh=True), headers=[bearer(hs256(claims(auth_time=NOW - 601)))])
        assert answer.status == 401
        assert 'error="insufficient_user_authentication"' in answer.header("www-authenticate")


def _challenge(error, realm):
    error.realm = realm
    return error.challenge


class TestHTTP:
    """RFC 9110 and RFC 6265bis."""

    def test_section_5_3_a_header_that_is_sent_twice_is_malformed(self):
        auth = authenticate(make_manager(), bearer(hs256()), bearer(hs256()))
        assert isinstance(auth.error, InvalidRequest)

    def test_section_9_3_2_the_answer_to_head_has_no_content(self):
        answer = request(protected(make_manager()), "HEAD")
        assert (answer.status, answer.body) == (401, b"")

    def test_section_11_1_the_scheme_is_case_insensitive(self):
        for scheme in (b"bearer", b"BEARER", b"BeArEr"):
            assert authenticate(make_manager(), (b"authorization", scheme + b" " + hs256().encode())).user == "ada"

    def test_section_11_6_1_a_401_always_has_a_challenge(self):
        for lines in ([], [bearer("x")], [cookie("x")]):
            for settings in ({}, {"fresh": True}, {"scopes": ["a"]}):
                answer = request(protected(make_manager(), **settings), headers=lines)
                assert answer.status == 401
                assert answer.header("www-authenticate")

    def test_section_12_5_5_a_response_names_what_it_varies_by(self):
        assert request(AuthMiddleware(_empty, make_manager()), headers=[cookie(hs256())]).header("vary") == "Cookie"

    def test_section_15_3_5_a_204_has_no_content(self):
        preflight = [(b"origin", b"https://a.example"), (b"access-control-request-method", b"PUT")]
        answer = request(protected(make_manager()), "OPTIONS", headers=preflight)
        assert (answer.status, answer.body, answer.header("content-length")) == (204, b"", None)

    def test_section_15_4_4_the_login_page_is_fetched_with_get(self):
        answer = request(protected(make_manager(redirect_to="/login")), headers=[(b"accept", b"text/html")])
        assert (answer.status, answer.header("location")) == (303, "/login?next=%2F")

    def test_rfc_6265bis_section_4_1_1_a_value_holds_only_cookie_octets(self):
        for value in ("a b", 'a"', "a,b", "a;b", "a\\b", "\x7f"):
            with pytest.raises(ValueError, match="a cookie's value"):
                CookieTransport().set_cookie_header(value)

    def test_rfc_6265bis_section_5_8_3_several_cookie_lines_are_one_list(self):
        lines = [(b"cookie", b"a=b"), cookie(hs256()), (b"cookie", b"c=d")]
        assert authenticate(make_manager(), *lines).user == "ada"

    def test_rfc_6455_section_7_4_1_a_refused_websocket_is_closed_for_a_policy_violation(self):
        sent = []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        run(protected(make_manager())(http_scope(..., type="websocket", scheme="ws"), receive, send))
        assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1008)]


class TestKeys:
    """RFC 7518 and RFC 7638."""

    @pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
    def test_rfc_7518_section_3_2_a_key_has_at_least_the_size_of_the_hash(self, algorithm, size):
        Key(OTHER_SECRET.encode().ljust(64, b"x")[:size], algorithm)
        with pytest.raises(ValueError, match=f"at least {size} bytes"):
            Key(OTHER_SECRET.encode().ljust(64, b"x")[: size - 1], algorithm)

    def test_rfc_7518_section_3_3_an_rsa_key_has_at_least_2048_bits(self):
        with pytest.raises(ValueError, match="at least 2048 bits"):
            Key(rsa_public_pem((1 << 2046) + 1, 65537), "RS256")

    def test_rfc_7518_section_3_4_an_es256_signature_is_two_numbers_of_32_bytes(self):
        manager = make_manager(Key.generate("ES256"))
        assert len(unb64(manager.create_access_token(data={"sub": "ada"}).rpartition(".")[2])) == 64

    def test_rfc_7638_section_3_the_thumbprint_is_that_of_the_required_members_in_order(self):
        # RFC 7515 §A.3.1's key; the digest is over {"crv":…,"kty":…,"x":…,"y":…} without white space.
        x, y = b64(EC_POINT[:32]), b64(EC_POINT[32:])
        text = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
        assert Key(EC_PEM, "ES256").kid == b64(hashlib.sha256(text.encode()).digest())


async def _empty(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

"""Forms: what a client may send in a body, and what nobody sends on purpose (RFC 6749 §3.2 and appendix B)."""

from urllib.parse import quote_plus, urlencode

import pytest
from helpers import http_scope, run
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from oauth.posting import FORM, issuing, pair_of, post, said, send_body

from asgi_login import Grant
from asgi_login.oauth import TokenEndpoint

INVALID = (400, "invalid_request")
MANAGER = issuing()
# A busy machine may be slow.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
heard = []


async def listen(username, password):
    heard.append((username, password))
    return Grant("ada")


APP = TokenEndpoint(MANAGER, password=listen)


def send(body, *, headers=(FORM,), app=APP, **more):
    chunks = body if isinstance(body, list) else [body]
    return run(send_body(app, http_scope("POST", headers=headers, **more), *chunks))


def form(**more):
    token = pair_of(MANAGER).refresh_token
    return urlencode({"grant_type": "refresh_token", "refresh_token": token, **more}).encode()


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/x-www-form-urlencoded",
        b"application/x-www-form-urlencoded; charset=UTF-8",
        b"application/x-www-form-urlencoded;charset=utf-8",
        b"Application/X-WWW-Form-URLEncoded ; charset=ISO-8859-1",
    ],
)
def test_a_form_may_have_parameters_of_its_type(content_type):
    assert send(form(), headers=[(b"content-type", content_type)]).status == 200


@pytest.mark.parametrize(
    "types",
    [
        [],
        [b""],
        [b"application/json"],
        [b"multipart/form-data; boundary=x"],
        [b"text/plain"],
        [b"application/x-www-form-urlencoded, text/plain"],
        [b"application/x-www-form-urlencoded", b"application/json"],
    ],
)
def test_another_type_is_refused(types):
    answer = send(form(), headers=[(b"content-type", one) for one in types])
    assert said(answer) == INVALID
    assert "application/x-www-form-urlencoded" in answer.json()["error_description"]


def test_json_is_refused():
    body = b'{"grant_type": "refresh_token", "refresh_token": "x"}'
    assert said(send(body, headers=[(b"content-type", b"application/json")])) == INVALID


def test_parameters_in_the_address_do_not_count():
    query = form()
    assert said(send(b"", query_string=query)) == INVALID
    assert send(form(), query_string=b"grant_type=password&refresh_token=x").status == 200


@pytest.mark.parametrize("chunks", [1, 2, 7, 1_000])
def test_a_body_may_come_in_chunks(chunks):
    body = form()
    size = len(body) // chunks + 1
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert send([b"", *pieces, b""]).status == 200


def test_a_body_of_16_kib_is_read_and_no_byte_more():
    body = form(more="")
    assert send(body + b"x" * (16_384 - len(body))).status == 200
    too_long = form(more="x" * 16_384)[:16_385]
    assert said(send(too_long)) == INVALID
    assert said(send([too_long[:9_000], too_long[9_000:]])) == INVALID


@pytest.mark.parametrize("length", [b"16385", b"99999", b"100000000000000000000", b"9" * 5_000])
def test_a_length_that_is_too_long_is_refused_before_the_body_is_read(length):
    scope = http_scope("POST", headers=[FORM, (b"content-length", length)])
    messages = []

    async def receive():
        raise AssertionError("the body is read")

    async def send(message):
        messages.append(message)

    run(APP(scope, receive, send))
    assert messages[0]["status"] == 400


def test_a_client_that_hangs_up_gets_no_answer():
    assert run(send_body(APP, http_scope("POST", headers=[FORM]), b"grant_type=", gone=True)) is None


def test_too_many_header_lines_are_refused():
    assert said(send(form(), headers=[FORM, *([(b"x", b"y")] * 1_000)])) == INVALID


@pytest.mark.parametrize("name", ["grant_type", "refresh_token", "scope", "client_id", "unknown"])
def test_a_parameter_that_is_sent_twice_is_refused(name):
    body = form(scope="", client_id="", unknown="")
    assert said(send(body + f"&{name}=x".encode())) == INVALID
    assert said(send(f"{name}=&".encode() + body)) == INVALID


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=%",
        b"grant_type=%4",
        b"grant_type=%zz",
        b"%=x",
        b"grant_type=%00",
        b"grant_type=a%0Ab",
        b"grant_type=a%0D%0Ab",
        b"grant_type=\x00",
        b"gr%00ant_type=x",
        b"grant_type=%7F",
        b"grant_type=%FF",
        b"grant_type=\xff",
        b"grant_type=%ED%A0%80",
        b"grant_type=%C0%80",
        b"\xef\xbb\xbfgrant_type=%FE",
        b"unknown=%FF",
    ],
)
def test_what_is_no_form_of_text_is_refused(body):
    assert said(send(body)) == INVALID


def test_empty_pairs_are_passed_over():
    assert send(b"&&" + form() + b"&&=&x&").status == 200


# RFC 6749 appendix A: no controls, except the tab.
TYPED = [*map(chr, range(0x20, 0x7F)), *"\t\x80äßÿ€☃\u2028\ufeff𝄞"]


@patient
@given(st.text(TYPED, min_size=1, max_size=50), st.booleans())
@example("\t", False)
@example(" a+b%20&=;ä€𝄞", True)
def test_a_password_arrives_as_it_was_typed(password, escaped):
    heard.clear()
    encoded = "".join(f"%{byte:02x}" for byte in password.encode()) if escaped else quote_plus(password)
    assert send(f"grant_type=password&username=ada&password={encoded}".encode()).status == 200
    assert heard == [("ada", password)]


@patient
@given(st.lists(st.binary(max_size=60), max_size=4) | st.lists(st.text("=&%+;ag0\x00ä").map(str.encode), max_size=4))
def test_whatever_bytes_arrive_the_answer_is_an_error_of_the_protocol(chunks):
    status, error = said(send([b"", *chunks]))
    assert status == 400
    assert error in {"invalid_request", "unsupported_grant_type", "invalid_grant", "invalid_scope", "invalid_client"}


PARAMETERS = ["grant_type", "refresh_token", "username", "password", "scope", "client_id", "client_secret", "x"]
VALUES = st.sampled_from(["refresh_token", "password", ""]) | st.text("ab. =&+%ä", max_size=20)


@patient
@given(st.dictionaries(st.sampled_from(PARAMETERS), VALUES))
def test_whatever_parameters_arrive_the_answer_is_one_of_the_protocol(parameters):
    answer = send(urlencode(parameters).encode())
    assert answer.status == 200 or said(answer)[0] == 400


def test_the_form_helper_posts_what_a_client_does():
    assert post(APP, {"grant_type": "password", "username": "ada", "password": "x"}).status == 200

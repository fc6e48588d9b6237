"""What a client looks like: its network and User-Agent, whatever a server puts into the scope."""

import pytest
from helpers import http_scope

from asgi_login.sessions.fingerprint import fingerprint


def look(client=("192.0.2.1", 50000), headers=((b"user-agent", b"Firefox"),), **more):
    return fingerprint(http_scope(headers=headers, client=client, **more))


@pytest.mark.parametrize(
    "client",
    [
        None,
        ...,
        (),
        [],
        ("", "0"),
        ["192.0.2.1", 50000],
        ("192.0.2.1",),
        ("192.0.2.1", None),
        (None, None),
        (b"192.0.2.1", 50000),
        (3232235521, 50000),
        "192.0.2.1",
        {"host": "192.0.2.1"},
        ("/run/app.sock", None),
        ("unix:", 0),
        ("testclient", 50000),
        ("localhost", 50000),
        ("192.0.2.1:8080", 50000),
        ("192.0.2", 50000),
        ("192.0.2.01", 50000),
        ("::1%", 50000),
        ("%eth0", 50000),
        ("[::1]", 50000),
        ("\ud800", 50000),
        ("\x00", 50000),
        ("a" * 10_000, 50000),
        ("\ud800" * 10_000, 50000),
    ],
    ids=lambda client: repr(client)[:30],
)
def test_whatever_a_server_calls_a_client_gives_bytes_that_stay_the_same(client):
    first, second = look(client), look(client)
    assert type(first) is bytes
    assert first == second


@pytest.mark.parametrize("nobody", [..., (), [], ("", "0"), ("", 0), (None, None), 5])
def test_a_client_without_an_address_is_told_by_its_user_agent(nobody):
    assert look(nobody) == look(None)
    assert look(nobody) != look(nobody, headers=[(b"user-agent", b"Chrome")])


def test_a_list_is_as_good_as_a_tuple():
    assert look(["192.0.2.1", 50000]) == look(("192.0.2.1", 50000))


def test_the_port_says_nothing():
    assert look(("192.0.2.1", 1)) == look(("192.0.2.1", 65535)) == look(("192.0.2.1", None))


@pytest.mark.parametrize("other", ["192.0.2.2", "192.0.3.1", "2001:db8::1", "example", ""])
def test_another_address_is_another_client(other):
    assert look((other, 50000)) != look()


@pytest.mark.parametrize("mapped", ["::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1"])
def test_an_ipv4_address_is_the_same_through_an_ipv6_socket(mapped):
    assert look((mapped, 50000)) == look(("192.0.2.1", 50000))
    assert look(("::ffff:192.0.2.2", 50000)) != look((mapped, 50000))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:DB8:0:1:0:0:0:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::1", True),
        ("fe80::1%eth0", "fe80::2%wlan0", True),
        ("fe80::1%eth0", "2001:db8::1%eth0", False),
        ("::1", "::2", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_of_an_ipv6_address_the_network_of_64_bits_counts_without_its_scope(one, other, is_same):
    assert (look((one, 50000)) == look((other, 50000))) is is_same


@pytest.mark.parametrize("other", ["/run/b.sock", "testclient2", "192.0.2.01", "\ud800"])
def test_names_that_are_no_address_are_compared_as_they_are(other):
    assert look((other, 0)) != look(("/run/a.sock", 0))


@pytest.mark.parametrize(
    "name",
    [b"x-forwarded-for", b"X-Forwarded-For", b"forwarded", b"x-real-ip", b"cf-connecting-ip", b"x-client-ip", b"via"],
)
def test_what_a_client_says_of_its_address_is_not_read(name):
    forged = [(b"user-agent", b"Firefox"), (name, b"203.0.113.9")]
    assert look(headers=forged) == look()


@pytest.mark.parametrize("agent", [b"Chrome", b"firefox", b"Firefox ", b"", b"\xff\x00", b"F" * 8000])
def test_another_user_agent_is_another_client(agent):
    assert look(headers=[(b"user-agent", agent)]) != look()


def test_no_user_agent_is_an_empty_one():
    assert look(headers=[]) == look(headers=[(b"user-agent", b"")])


@pytest.mark.parametrize("name", [b"User-Agent", b"USER-AGENT"])
def test_the_header_is_found_in_any_case(name):
    assert look(headers=[(name, b"Firefox")]) == look()


@pytest.mark.parametrize("name", [b"x-trace-id", b"keep-alive"])
def test_a_header_whose_name_is_as_long_as_user_agent_is_not_read(name):
    assert look(headers=[(name, b"Chrome"), (b"user-agent", b"Firefox")]) == look()
    assert look(headers=[(name, b"Firefox")]) == look(headers=[])


def test_of_two_user_agents_the_first_counts():
    assert look(headers=[(b"user-agent", b"Firefox"), (b"user-agent", b"Chrome")]) == look()


def test_a_one_shot_iterator_of_headers_is_still_there_for_the_application():
    scope = http_scope(headers=()) | {"headers": iter([(b"user-agent", b"Firefox")])}
    assert fingerprint(scope) == look()
    assert list(scope["headers"]) == [(b"user-agent", b"Firefox")]


def test_an_address_cannot_be_moved_into_the_user_agent():
    assert look(("", 0), headers=[(b"user-agent", b"192.0.2.1")]) != look(("192.0.2.1", 0), headers=[])

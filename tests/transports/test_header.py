"""The header transport: a token in a header of the application's own choice."""

import pytest
from helpers import authenticate, bearer, http_scope, make_manager, protected, request, run, send_request, websocket
from transports.reading import BAD, OTHER, TOKEN

from asgi_login import BearerTransport, CookieTransport, HeaderTransport, InvalidRequest, InvalidToken, LoginManager

GATEWAY = HeaderTransport("X-Token", name="gateway", ambient=True)
PROGRAM = HeaderTransport("X-Token", name="program", ambient=False)
CROSS_SITE = [(b"sec-fetch-site", b"cross-site")]
BOTH = pytest.mark.parametrize("transport", [GATEWAY, PROGRAM], ids=["gateway", "program"])


def line(value, name=b"x-token"):
    return name, value if isinstance(value, bytes) else value.encode("latin-1")


def seen(transport, *lines):
    return authenticate(make_manager(transports=[transport]), *lines)


class TestReading:
    @BOTH
    @pytest.mark.parametrize("name", [b"x-token", b"X-Token", b"X-TOKEN"])
    def test_the_token_is_the_value_of_the_header_whatever_its_case(self, transport, name):
        auth = seen(transport, line(TOKEN, name))
        assert (auth.user, auth.transport) == ("ada", transport.name)

    @BOTH
    @pytest.mark.parametrize("value", ["{}", " {}\t", "Bearer {}", "bearer  {}", " BEARER {} "])
    def test_white_space_around_it_and_the_word_bearer_before_it_are_no_part_of_it(self, transport, value):
        assert seen(transport, line(value.format(TOKEN))).user == "ada"

    @pytest.mark.parametrize("other", [[b"x-own", b"1"], (b"x-own", "1"), (b"x-own", 1)])
    @pytest.mark.parametrize(("token", "status"), [(TOKEN, 200), (BAD, 303)])
    def test_a_line_may_be_a_list_and_those_that_nobody_asks_for_may_hold_anything(self, other, token, status):
        # As adapters to AWS Lambda write a line, and as careless middleware adds its own.
        app = protected(make_manager(transports=[PROGRAM], redirect_to="/login"))
        lines = [other, [*line(token)], [b"accept", b"text/html"]]
        assert run(send_request(app, {**http_scope(), "headers": lines})).status == status

    @BOTH
    @pytest.mark.parametrize("lines", [[], [line("")], [line(" \t")], [line(TOKEN, b"x-tokens")], [bearer(TOKEN)]])
    def test_no_header_and_an_empty_one_are_nobody(self, transport, lines):
        auth = seen(transport, *lines)
        assert (auth.user, auth.error, auth.transport) == (None, None, None)

    def test_the_name_of_the_setting_is_in_any_case_too(self):
        transport = HeaderTransport("X-TOKEN", name="token", ambient=False)
        assert seen(transport, line(TOKEN)).user == "ada"
        assert transport.openapi_scheme() == {"type": "apiKey", "in": "header", "name": "X-TOKEN"}
        assert seen(transport, line("a" * 40_000)).error.reason == "X-TOKEN too long"

    @BOTH
    @pytest.mark.parametrize("name", [b"x-topic", b"accepts"])
    def test_a_header_whose_name_is_only_as_long_is_another_header(self, transport, name):
        assert seen(transport, line(TOKEN, name)).user is None
        assert seen(transport, line(OTHER, name), line(TOKEN), line(OTHER, name)).user == "ada"

    @BOTH
    @pytest.mark.parametrize(
        "values", [(TOKEN, TOKEN), (TOKEN, OTHER), (BAD, TOKEN), (TOKEN, ""), ("", TOKEN), ("", "")]
    )
    def test_a_header_that_a_client_sends_next_to_the_gateways_is_a_malformed_request(self, transport, values):
        assert type(seen(transport, *map(line, values)).error) is InvalidRequest

    @BOTH
    @pytest.mark.parametrize("value", ["{0} {0}", "{0}, {0}", "{0},{0}", "{0},", "Basic {0}", "Bearer Bearer {0}"])
    def test_other_than_one_token_is_a_malformed_request(self, transport, value):
        assert type(seen(transport, line(value.format(TOKEN))).error) is InvalidRequest

    @BOTH
    @pytest.mark.parametrize(
        "value", [BAD, "nonsense", "Bearer", "tökén", "\xa0{}", "{}\x0b", '"{}"', "{}\0", "Bearer\t{}"]
    )
    def test_one_word_that_is_no_token_is_an_invalid_token(self, transport, value):
        assert type(seen(transport, line(value.format(TOKEN))).error) is InvalidToken

    def test_the_answer_to_a_malformed_one_names_the_header(self):
        answer = request(protected(make_manager(transports=[PROGRAM])), headers=[line(TOKEN), line(TOKEN)])
        description = "The request must carry one X-Token header with one token"
        assert (answer.status, answer.json()) == (
            400,
            {"error": "invalid_request", "error_description": description},
        )
        assert description in answer.header("www-authenticate")

    def test_authorization_of_a_manager_with_both_is_read_in_the_order_of_its_transports(self):
        lines = line(TOKEN), bearer(OTHER)
        assert authenticate(make_manager(transports=[PROGRAM, BearerTransport()]), *lines).user == "ada"
        assert authenticate(make_manager(transports=[BearerTransport(), PROGRAM]), *lines).user == "user1"
        assert authenticate(make_manager(transports=[GATEWAY, BearerTransport()]), *lines).user == "user1"


class TestAmbient:
    def test_the_header_that_a_gateway_adds_by_a_cookie_of_its_own_is_no_csrf_hole(self):
        app = protected(make_manager(transports=[GATEWAY]))
        assert request(app, "POST", headers=[line(TOKEN)]).status == 200
        assert request(app, "POST", headers=[line(TOKEN), *CROSS_SITE]).status == 403
        assert request(app, "GET", headers=[line(TOKEN), *CROSS_SITE]).status == 200
        sent = websocket(app, headers=[line(TOKEN), *CROSS_SITE])
        assert [message["type"] for message in sent] == ["websocket.close"]

    def test_the_header_that_a_program_sends_on_purpose_may_come_from_anywhere(self):
        app = protected(make_manager(transports=[PROGRAM]))
        assert request(app, "POST", headers=[line(TOKEN), *CROSS_SITE]).status == 200

    def test_whoever_writes_one_must_say_which_of_the_two_it_is(self):
        with pytest.raises(TypeError, match="ambient"):
            HeaderTransport("X-Token", name="token")

    @pytest.mark.parametrize("ambient", [None, 0, 1, "no", "yes"])
    def test_what_is_neither_true_nor_false_is_refused_with_both_meanings(self, ambient):
        with pytest.raises(TypeError, match=r"True, if a gateway .* False, if the client's own program"):
            HeaderTransport("X-Token", name="token", ambient=ambient)


class TestConstruction:
    @pytest.mark.parametrize("header", ["Authorization", "authorization", "AUTHORIZATION"])
    def test_authorization_is_read_by_the_bearer_transport(self, header):
        with pytest.raises(ValueError, match=r"is read by BearerTransport\(\)"):
            HeaderTransport(header, name="token", ambient=False)

    @pytest.mark.parametrize("header", ["Cookie", "cookie"])
    def test_a_cookie_is_read_by_the_cookie_transport(self, header):
        with pytest.raises(ValueError, match=r"is read by CookieTransport\(\)"):
            HeaderTransport(header, name="token", ambient=True)

    @pytest.mark.parametrize(
        "header", ["", "X-Token:", "X Token", "X-Token\r\n", "é", ":path", "a/b", "(a)", '"a"', "a,b"]
    )
    def test_the_name_of_a_header_is_a_token(self, header):
        with pytest.raises(ValueError, match="is no name of a header"):
            HeaderTransport(header, name="token", ambient=True)

    @pytest.mark.parametrize("header", [None, b"X-Token", 5])
    def test_the_name_of_a_header_is_a_string(self, header):
        with pytest.raises(TypeError, match=f"header is the name of a header.*, not {type(header).__name__}$"):
            HeaderTransport(header, name="token", ambient=True)

    @pytest.mark.parametrize("name", ["", None, b"x"])
    def test_the_name_of_a_transport_is_a_string(self, name):
        with pytest.raises(ValueError, match="name is a non-empty string"):
            HeaderTransport("X-Token", name=name, ambient=True)

    def test_two_that_read_the_same_header_are_refused(self):
        transports = [GATEWAY, HeaderTransport("x-TOKEN", name="other", ambient=True)]
        with pytest.raises(ValueError, match="two transports read the same header"):
            LoginManager(b"k" * 32, transports=transports)

    @pytest.mark.parametrize("attribute", ["name", "header", "ambient", "vary"])
    def test_it_stays_what_it_was_made(self, attribute):
        before = getattr(GATEWAY, attribute)
        with pytest.raises(AttributeError, match="immutable"):
            setattr(GATEWAY, attribute, False)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(GATEWAY, attribute)
        assert getattr(GATEWAY, attribute) is before

    def test_each_transport_says_which_header_a_cache_must_tell_responses_apart_by(self):
        assert (GATEWAY.header, GATEWAY.vary) == ("X-Token", b"X-Token")
        assert (BearerTransport().vary, CookieTransport().vary) == (None, b"Cookie")

    def test_a_repr_says_what_it_does(self):
        assert repr(GATEWAY) == "HeaderTransport('X-Token', name='gateway', ambient=True)"

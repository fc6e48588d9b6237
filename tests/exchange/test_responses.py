"""What the client sees: challenges, bodies, redirects to the login page, refused websockets, and safe_next."""

import copy
import json
import pickle
import re
import traceback
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from helpers import (
    NOW,
    OTHER_SECRET,
    SECRET,
    Clock,
    bearer,
    claims,
    cookie,
    hello,
    hs256,
    http_scope,
    make_manager,
    protected,
    request,
    run,
    send_request,
    websocket,
)

from asgi_login import (
    AuthError,
    AuthMiddleware,
    CrossOriginRequest,
    Gate,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    Key,
    LoginNotFresh,
    NotAuthenticated,
    Sessions,
    safe_next,
)

TOKEN = hs256()
EXPIRED = hs256(claims(exp=NOW - 1))
BAD = hs256(secret="x" * 32)
HTML = (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")


def parse_challenge(value):
    """Parse WWW-Authenticate as RFC 9110 §11.6.1 writes it: one challenge, whose parameters are unique."""
    token = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
    scheme, _, rest = value.partition(" ")
    assert re.fullmatch(token, scheme)
    parameter = re.compile(rf'({token})="((?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t -\x7e])*)"(?:, |$)')
    parameters = {}
    while rest:
        match = parameter.match(rest)
        assert match, f"no auth-param: {rest!r}"
        assert match[1] not in parameters
        parameters[match[1]] = match[2]
        rest = rest[match.end() :]
    return scheme, parameters


class SeatTakenError(AuthError):
    """An error whose constructor has an argument of its own."""

    description = "This is the application's"

    def __init__(self, reason, seat):
        super().__init__(reason)
        self.seat = seat


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "status", "code", "parameters"),
        [
            (NotAuthenticated(), 401, "unauthorized", {"realm"}),
            (InvalidRequest(), 400, "invalid_request", {"realm", "error", "error_description"}),
            (InvalidToken(), 401, "invalid_token", {"realm", "error", "error_description"}),
            (InvalidToken(expired=True), 401, "invalid_token", {"realm", "error", "error_description"}),
            (LoginNotFresh(), 401, "insufficient_user_authentication", {"realm", "error", "error_description"}),
            (
                InsufficientScope(required=["a", "b:c"]),
                403,
                "insufficient_scope",
                {"realm", "error", "error_description", "scope"},
            ),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_each_error_knows_its_status_its_code_and_its_challenge(self, error, status, code, parameters):
        assert isinstance(error, AuthError)
        assert (error.status, error.error) == (status, code)
        scheme, challenge = parse_challenge(error.challenge)
        assert scheme == "Bearer"
        assert challenge.keys() == parameters
        assert challenge["realm"] == "api"
        if "error" in parameters:
            assert (challenge["error"], challenge["error_description"]) == (code, error.description)
        # RFC 6750 §3: the characters that a description and a scope may have.
        assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+", error.description)
        assert challenge.get("scope", "a b:c") == "a b:c"

    def test_a_cross_origin_request_has_no_challenge(self):
        error = CrossOriginRequest()
        assert (error.status, error.error, error.challenge) == (403, "cross_origin_request", None)

    @pytest.mark.parametrize(
        "error",
        [
            AuthError("the reason"),
            InvalidRequest("the reason"),
            NotAuthenticated("the reason"),
            InvalidToken("the reason"),
            InvalidToken("the reason", expired=True),
            LoginNotFresh("the reason"),
            InsufficientScope("the reason", required=["a"]),
            CrossOriginRequest("the reason"),
            SeatTakenError("the reason", 7),
            SeatTakenError("the reason", 7).again(),
            copy.copy(SeatTakenError("the reason", 7)),
            pickle.loads(pickle.dumps(SeatTakenError("the reason", 7))),  # noqa: S301 - made here
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_the_text_of_an_error_is_what_the_client_may_see_and_its_reason_is_for_the_log_only(self, error):
        assert str(error) == error.description
        assert error.reason == "the reason"
        group = ExceptionGroup("several", [error])
        shown = [str(error), repr(error), *error.args, str(group), repr(group), error.challenge or ""]
        shown += traceback.format_exception(group)
        assert "the reason" not in "".join(shown)

    def test_a_note_on_an_error_is_not_raised_again(self):
        error = InvalidToken("the reason")
        error.add_note("a note")
        assert "a note" not in "".join(traceback.format_exception(error.again()))

    def test_an_error_whose_class_calls_no_init_of_ours_has_an_empty_reason(self):
        class SparseError(AuthError):
            def __init__(self, seat):
                self.seat = seat

        error = SparseError("row 7")
        assert (error.reason, str(error)) == ("", "Authentication is required")

    @pytest.mark.parametrize(
        "error",
        [
            InvalidToken("x", expired=True),
            InsufficientScope("x", required=["a"]),
            NotAuthenticated(),
            InvalidRequest("y"),
            LoginNotFresh(),
            CrossOriginRequest("z"),
        ],
    )
    def test_again_makes_an_equal_error_that_was_never_raised(self, error):
        error.realm, error.login_url = "realm", "/login"
        try:
            raise error
        except AuthError as raised:
            again = raised.again()
        assert type(again) is type(error)
        assert again is not error
        assert vars(again) == vars(error)
        assert again.challenge == error.challenge
        assert (again.__traceback__, again.__context__, again.__cause__) == (None, None, None)


class TestGateAnswers:
    def test_without_a_credential_the_challenge_has_no_error(self):
        answer = request(protected(make_manager()))
        assert answer.status == 401
        assert parse_challenge(answer.header("www-authenticate")) == ("Bearer", {"realm": "api"})
        assert answer.json() == {"error": "unauthorized", "error_description": "Authentication is required"}

    @pytest.mark.parametrize("line", [bearer(BAD), cookie(BAD), bearer("junk"), cookie("junk")])
    def test_a_bad_token_is_an_invalid_token(self, line):
        answer = request(protected(make_manager()), headers=[line])
        assert answer.status == 401
        _, challenge = parse_challenge(answer.header("www-authenticate"))
        assert challenge == {"realm": "api", "error": "invalid_token", "error_description": "The token is invalid"}
        assert answer.json() == {"error": "invalid_token", "error_description": "The token is invalid"}

    def test_every_reason_but_expiry_has_the_same_bytes(self):
        app = protected(make_manager([Key(SECRET), Key(OTHER_SECRET)]))
        kid = Key(SECRET).kid
        header = {"alg": "HS256", "kid": kid}
        assert request(app, headers=[bearer(hs256(header=header))]).status == 200
        tokens = {
            "wrong signature": hs256(header=header, secret="x" * 32),
            "unknown kid": hs256(header={"alg": "HS256", "kid": "unknown"}),
            "no kid": hs256(),
            "unknown user": hs256(claims(sub="nobody"), header),
            "wrong algorithm": hs256(header={"alg": "none", "kid": kid}),
            "not yet": hs256(claims(nbf=NOW + 60), header),
            "another audience": hs256(claims(aud="other"), header),
            "another kind": hs256(header=header | {"typ": "session+jwt"}),
            "no sub": hs256(claims(sub=...), header),
            "junk": "junk",
            "long": "a" * 10_000,
        }
        answers = {name: request(app, headers=[bearer(token)]) for name, token in tokens.items()}
        first = answers["wrong signature"]
        assert first.status == 401
        assert all(answer == first for answer in answers.values())

    def test_expiry_is_told(self):
        answer = request(protected(make_manager()), headers=[bearer(EXPIRED)])
        assert answer.status == 401
        _, challenge = parse_challenge(answer.header("www-authenticate"))
        assert challenge["error"] == "invalid_token"
        assert challenge["error_description"] == answer.json()["error_description"] == "The token has expired"

    @pytest.mark.parametrize(
        "lines",
        [
            [(b"authorization", b"Bearer")],
            [(b"authorization", b"Bearer a b")],
            [(b"authorization", b"Bearer a,b")],
            [bearer(TOKEN), bearer(TOKEN)],
        ],
    )
    def test_a_malformed_request_is_400(self, lines):
        answer = request(protected(make_manager(redirect_to="/login")), headers=[*lines, HTML])
        assert answer.status == 400
        assert parse_challenge(answer.header("www-authenticate"))[1]["error"] == "invalid_request"
        assert answer.json()["error"] == "invalid_request"

    def test_a_missing_scope_is_403_and_names_all_that_are_needed(self):
        app = protected(make_manager(), scopes=["orders:write", "orders:read"])
        answer = request(app, headers=[bearer(hs256(claims(scope="orders:read")))])
        assert answer.status == 403
        _, challenge = parse_challenge(answer.header("www-authenticate"))
        assert (challenge["error"], challenge["scope"]) == ("insufficient_scope", "orders:write orders:read")
        assert answer.json()["error"] == "insufficient_scope"
        assert request(app, headers=[bearer(hs256(claims(scope="orders:read orders:write x")))]).status == 200

    def test_without_a_user_a_missing_scope_is_401(self):
        app = protected(make_manager(), scopes=["a"])
        assert request(app).status == 401
        assert request(app, headers=[bearer(BAD)]).status == 401

    def test_a_login_that_is_not_fresh_is_401_with_its_own_code(self):
        app = protected(make_manager(), fresh=True)
        answer = request(app, headers=[bearer(TOKEN)])
        assert answer.status == 401
        _, challenge = parse_challenge(answer.header("www-authenticate"))
        assert challenge["error"] == answer.json()["error"] == "insufficient_user_authentication"
        assert request(app, headers=[bearer(hs256(claims(auth_time=NOW - 5)))]).status == 200

    @pytest.mark.parametrize("lines", [[], [bearer(BAD)], [(b"authorization", b"Bearer")], [bearer(TOKEN)]])
    def test_every_refusal_is_json_that_no_cache_keeps(self, lines):
        answer = request(protected(make_manager(), scopes=["a"]), headers=lines)
        assert answer.header("content-type") == "application/json"
        assert answer.header("cache-control") == "no-store"
        assert int(answer.header("content-length")) == len(answer.body)
        assert answer.json().keys() == {"error", "error_description"}
        assert all(name == name.lower() for name, _ in answer.headers)

    @pytest.mark.parametrize("lines", [[], [bearer(BAD)], [(b"authorization", b"Bearer")], [bearer(TOKEN)]])
    def test_head_is_answered_like_get_without_the_body(self, lines):
        app = protected(make_manager(), scopes=["a"])
        get, head = request(app, "GET", headers=lines), request(app, "HEAD", headers=lines)
        assert (head.status, head.headers) == (get.status, get.headers)
        assert head.body == b""

    def test_no_answer_holds_a_token_a_claim_or_a_key_id(self):
        token = hs256(claims(sub="hunter2"), {"alg": "HS256", "kid": Key(SECRET).kid})
        for one in (
            token,
            token[:-3],
            hs256(claims(sub="hunter2", exp=1)),
            hs256(claims(sub="hunter2", aud="hunter2")),
        ):
            for line in (bearer(one), cookie(one)):
                answer = request(protected(make_manager()), headers=[line])
                text = repr(answer)
                assert answer.status == 401
                assert not any(secret in text for secret in (*one.split("."), "hunter2", Key(SECRET).kid))

    def test_the_realm_is_the_managers(self):
        answer = request(protected(make_manager(realm="orders & more")), headers=[bearer(BAD)])
        assert parse_challenge(answer.header("www-authenticate"))[1]["realm"] == "orders & more"

    def test_the_clock_is_looked_at_again_by_the_gate(self):
        clock = Clock()
        manager = make_manager(clock=clock)

        async def slow(scope, receive, send):
            clock.now += 3_600
            await Gate(hello)(scope, receive, send)

        answer = request(AuthMiddleware(slow, manager), headers=[bearer(TOKEN)])
        assert answer.status == 401
        assert answer.json()["error_description"] == "The token has expired"


class TestPreflight:
    PREFLIGHT = ((b"origin", b"https://app.example.net"), (b"access-control-request-method", b"POST"))

    @pytest.mark.parametrize("credential", [[], [bearer(TOKEN)], [bearer(BAD)], [cookie(TOKEN)]])
    def test_a_preflight_gets_an_empty_204_and_the_application_does_not_run(self, credential):
        async def app(scope, receive, send):
            raise AssertionError("the application ran")

        manager = make_manager(redirect_to="/login")
        answer = request(AuthMiddleware(Gate(app), manager), "OPTIONS", headers=[*self.PREFLIGHT, *credential])
        assert (answer.status, answer.body) == (204, b"")
        assert answer.header("www-authenticate") is None
        assert answer.header("content-length") is None

    @pytest.mark.parametrize("lines", [(), PREFLIGHT[:1], PREFLIGHT[1:]])
    def test_any_other_options_request_is_refused(self, lines):
        assert request(protected(make_manager()), "OPTIONS", headers=lines).status == 401

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_the_headers_alone_make_no_preflight(self, method):
        assert request(protected(make_manager()), method, headers=self.PREFLIGHT).status == 401

    def test_an_exempt_path_answers_its_own(self):
        app = protected(make_manager(), exempt=["/open"])
        assert request(app, "OPTIONS", "/open", headers=self.PREFLIGHT).status == 200


class TestVary:
    def answer(self, own, *lines, status=200):
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": status, "headers": own})
            await send({"type": "http.response.body", "body": b"x"})

        return request(AuthMiddleware(app, make_manager()), headers=lines)

    @pytest.mark.parametrize("line", [cookie(TOKEN), cookie(BAD), cookie("junk")])
    @pytest.mark.parametrize("status", [200, 304, 404, 500])
    def test_a_response_to_a_cookie_credential_varies_by_it(self, line, status):
        assert self.answer([], line, status=status).header("vary") == "Cookie"

    @pytest.mark.parametrize(
        ("own", "expected"),
        [
            ([b"Accept"], ["accept", "cookie"]),
            ([b"Accept, Origin"], ["accept", "origin", "cookie"]),
            ([b"Accept", b"Origin"], ["accept", "origin", "cookie"]),
            ([b"Cookie"], ["cookie"]),
            ([b"cookie"], ["cookie"]),
            ([b"Accept,COOKIE , Origin"], ["accept", "cookie", "origin"]),
            ([b"Accept", b"Cookie"], ["accept", "cookie"]),
            ([b"*"], ["*"]),
            ([b"Accept", b"*"], ["accept", "*"]),
            ([b"Set-Cookie"], ["set-cookie", "cookie"]),
        ],
    )
    @pytest.mark.parametrize("name", [b"vary", b"Vary"])
    def test_the_applications_own_vary_is_added_to_once(self, own, expected, name):
        answer = self.answer([(name, value) for value in own], cookie(TOKEN))
        names = [one.strip().lower() for value in answer.all("vary") for one in value.split(",")]
        assert sorted(names) == sorted(expected)

    @pytest.mark.parametrize("lines", [[], [bearer(TOKEN)], [bearer(BAD)], [(b"cookie", b"other=1")]])
    def test_other_requests_get_the_applications_bytes(self, lines):
        own = [(b"vary", b"Accept"), (b"Set-Cookie", b"a=b; Path=/"), (b"set-cookie", b"c=d")]
        assert self.answer(own, *lines).headers == own

    def test_the_applications_messages_are_not_changed_in_place(self):
        own = [(b"vary", b"Accept")]
        self.answer(own, cookie(TOKEN))
        assert own == [(b"vary", b"Accept")]

    def test_the_rest_of_the_response_stays_byte_for_byte(self):
        own = [(b"Set-Cookie", b"a=b; Path=/"), (b"X-Y", b"\xff"), (b"set-cookie", b"c=d")]
        answer = self.answer(own, cookie(TOKEN))
        assert answer.headers == [*own, (b"vary", b"Cookie"), (b"cache-control", b"private")]
        assert answer.body == b"x"

    def test_a_header_whose_name_is_as_long_as_vary_stays_as_it_is(self):
        own = [(b"etag", b'"1"'), (b"vary", b"Accept"), (b"link", b"</>; rel=home")]
        expected = [own[0], (b"vary", b"Accept, Cookie"), own[2], (b"cache-control", b"private")]
        assert self.answer(own, cookie(TOKEN)).headers == expected
        assert self.answer(own[:1], cookie(TOKEN)).header("vary") == "Cookie"

    @pytest.mark.parametrize("line", [cookie(BAD), cookie(EXPIRED)])
    def test_a_gates_own_answer_varies_too(self, line):
        assert request(protected(make_manager()), headers=[line]).header("vary") == "Cookie"
        redirect = request(protected(make_manager(redirect_to="/login")), headers=[line, HTML])
        assert (redirect.status, redirect.header("vary")) == (303, "Cookie")


class TestLoginRedirect:
    def redirect(self, path="/orders", redirect_to="/login", lines=(HTML,), method="GET", **scope):
        return request(protected(make_manager(redirect_to=redirect_to)), method, path, headers=lines, **scope)

    def next_of(self, answer):
        assert answer.status == 303
        [target] = parse_qs(urlsplit(answer.header("location")).query, strict_parsing=True)["next"]
        return target

    def test_a_browser_that_navigates_is_sent_to_the_login_page(self):
        answer = self.redirect()
        assert answer.status == 303
        assert answer.header("location") == "/login?next=%2Forders"
        assert answer.header("www-authenticate") is None
        assert answer.header("cache-control") == "no-store"
        assert answer.header("content-length") == "0"
        assert answer.body == b""

    def test_html_behind_endless_other_types_is_not_asked_for(self):
        lines = [(b"accept", b"a/b," * 10_000 + b"text/html")]
        assert self.redirect(lines=lines).status == 401
        assert self.redirect(lines=[HTML] + [(b"x", b"y")] * 1_000).status == 401

    def test_a_path_that_is_no_text_and_a_query_that_is_missing_are_no_server_error(self):
        assert self.redirect("/a\udcff", query_string=...).header("location") == "/login?next=%2Fa%253F"

    @pytest.mark.parametrize("line", [bearer(BAD), bearer(EXPIRED), cookie(BAD), cookie(EXPIRED)])
    def test_so_is_one_with_a_bad_credential(self, line):
        assert self.redirect(lines=[HTML, line]).status == 303

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_get_and_head_navigate(self, method):
        assert self.redirect(method=method).status == 303

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "FOO"])
    def test_other_methods_do_not(self, method):
        assert self.redirect(method=method).status == 401

    @pytest.mark.parametrize(
        "accept",
        [
            b"text/html",
            b"TEXT/HTML",
            b"application/json, text/html;q=0.1",
            b"text/html;level=1",
            b"text/html; q=0.001",
            b" text/html ;q=1",
        ],
    )
    def test_a_browser_asks_for_html(self, accept):
        assert self.redirect(lines=[(b"accept", accept)]).status == 303
        assert self.redirect(lines=[(b"Accept", b"image/png"), (b"accept", accept)]).status == 303

    @pytest.mark.parametrize(
        "accept",
        [
            None,
            b"",
            b"*/*",
            b"text/*",
            b"application/json",
            b"text/html;q=0",
            b"text/html;q=0.000, application/json",
            b"text/html-sandboxed",
            b"application/xhtml+xml",
            b"x;text/html",
        ],
    )
    def test_what_does_not_ask_for_html_is_no_browser(self, accept):
        assert self.redirect(lines=[] if accept is None else [(b"accept", accept)]).status == 401

    def test_without_a_login_page_there_is_no_redirect(self):
        assert self.redirect(redirect_to=None).status == 401

    @pytest.mark.parametrize(
        ("path", "query", "expected"),
        [
            ("/", b"", "/"),
            ("/orders", b"page=2&sort=a", "/orders?page=2&sort=a"),
            ("/a b", b"", "/a%20b"),
            ("/a?b#c", b"", "/a%3Fb%23c"),
            ("/100%", b"", "/100%25"),
            ("/ü/日本", b"", "/%C3%BC/%E6%97%A5%E6%9C%AC"),
            ("/x", b"q=a%20b%26c", "/x?q=a%20b%26c"),
            ("/x", b"next=/y&a=%2F", "/x?next=/y&a=%2F"),
            ("/x", b"q=a+b", "/x?q=a+b"),
            ("/x", b"q=caf\xc3\xa9", "/x?q=caf%C3%A9"),
            ("/x", b'q="<>\\', "/x?q=%22%3C%3E%5C"),
            ("/x\r\ny", b"a\r\nb", "/x%0D%0Ay?a%0D%0Ab"),
            ("/a\\b", b"", "/a%5Cb"),
            ("/~u/a:b@c;d=e,f!$&'()*+", b"", "/~u/a:b@c;d=e,f!$&'()*+"),
        ],
    )
    def test_next_is_the_address_that_the_browser_asked_for(self, path, query, expected):
        answer = self.redirect(path, query_string=query)
        assert self.next_of(answer) == expected
        assert safe_next(expected) == expected

    @pytest.mark.parametrize(
        ("root", "path", "expected"),
        [
            ("/app", "/app/x", "/app/x"),
            ("/app", "/x", "/app/x"),
            ("/app", "/app", "/app"),
            ("/app", "/apple", "/app/apple"),
            ("", "/x", "/x"),
            ("/app", "/", "/app/"),
        ],
    )
    def test_next_holds_the_root_path_once(self, root, path, expected):
        assert self.next_of(self.redirect(path, root_path=root)) == expected
        if not root:
            assert self.next_of(self.redirect(path, root_path=...)) == expected

    @pytest.mark.parametrize(
        "path", ["//evil.example", "//evil.example/x", "/\\evil.example", "///x", "/\t/evil.example"]
    )
    def test_next_never_leaves_the_site(self, path):
        target = self.next_of(self.redirect(path))
        assert safe_next(target, "refused") == target
        assert not target.startswith(("//", "/\\"))
        assert safe_next(self.next_of(self.redirect("/x", root_path="//evil.example")), "refused") != "refused"

    def test_a_next_that_is_too_long_is_the_front_page(self):
        assert self.next_of(self.redirect("/" + "a" * 2_047)) == "/" + "a" * 2_047
        assert self.next_of(self.redirect("/" + "a" * 2_048)) == "/"

    @pytest.mark.parametrize(
        "name",
        ["host", "x-forwarded-host", "x-forwarded-proto", "x-original-url", "x-rewrite-url", "referer", "forwarded"],
    )
    def test_no_header_of_the_client_changes_where_it_goes(self, name):
        lines = [HTML, (name, "https://evil.example/x?y"), (name, "evil.example")]
        assert self.redirect(lines=lines).header("location") == "/login?next=%2Forders"

    @pytest.mark.parametrize(
        ("redirect_to", "location"),
        [
            ("/login", "/login?next=%2Forders"),
            ("/login?lang=de", "/login?lang=de&next=%2Forders"),
            ("/login#form", "/login?next=%2Forders#form"),
            ("https://id.example/login", "https://id.example/login?next=%2Forders"),
            ("https://id.example?a=b", "https://id.example?a=b&next=%2Forders"),
        ],
    )
    def test_the_login_page_keeps_its_own_query_and_fragment(self, redirect_to, location):
        assert self.redirect(redirect_to=redirect_to).header("location") == location

    @pytest.mark.parametrize(
        ("redirect_to", "path", "root"),
        [
            ("/login", "/login", ""),
            ("/login?lang=de", "/login", ""),
            ("/app/login", "/login", "/app"),
            ("/app/login", "/app/login", "/app"),
            ("/log%20in", "/log in", ""),
        ],
    )
    def test_a_login_page_behind_the_gate_does_not_send_the_browser_in_circles(self, redirect_to, path, root):
        answer = self.redirect(path, redirect_to=redirect_to, root_path=root, query_string=b"next=%2Forders")
        assert answer.status == 401

    def test_a_missing_scope_is_no_reason_to_log_in(self):
        app = protected(make_manager(redirect_to="/login"), scopes=["a"])
        assert request(app, headers=[HTML, cookie(TOKEN)]).status == 403

    def test_a_login_that_is_not_fresh_goes_where_one_proves_it_again(self):
        sessions = Sessions(reauthenticate_at="/confirm", fresh_for=timedelta(seconds=60))
        app = protected(make_manager(redirect_to="/login", sessions=sessions), fresh=True)
        answer = request(app, path="/orders", headers=[HTML, cookie(TOKEN)])
        assert (answer.status, answer.header("location")) == (303, "/confirm?next=%2Forders")
        assert request(app, path="/orders", headers=[HTML]).header("location") == "/login?next=%2Forders"

    @pytest.mark.parametrize("sessions", [Sessions(), None])
    def test_without_such_a_page_it_is_401_and_not_the_login_page(self, sessions):
        app = protected(make_manager(redirect_to="/login", sessions=sessions), fresh=True)
        assert request(app, headers=[HTML, cookie(TOKEN)]).status == 401

    def test_a_websocket_is_never_redirected(self):
        sent = websocket(protected(make_manager(redirect_to="/login")), headers=[HTML])
        assert sent == [{"type": "websocket.close", "code": 1008, "reason": "unauthorized"}]


class TestWebSockets:
    @pytest.mark.parametrize(
        ("lines", "gate", "status", "code"),
        [
            ([], {}, 401, "unauthorized"),
            ([bearer(BAD)], {}, 401, "invalid_token"),
            ([(b"authorization", b"Bearer")], {}, 400, "invalid_request"),
            ([bearer(TOKEN)], {"scopes": ["a"]}, 403, "insufficient_scope"),
            ([bearer(TOKEN)], {"fresh": True}, 401, "insufficient_user_authentication"),
        ],
    )
    def test_one_that_is_refused_gets_the_http_answer_where_the_server_can_send_it(self, lines, gate, status, code):
        app = protected(make_manager(), **gate)
        start, body = websocket(app, headers=lines, extensions={"websocket.http.response": {}})
        assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
        http = request(app, headers=lines)
        assert (start["headers"], body["body"]) == (http.headers, http.body)
        assert json.loads(body["body"])["error"] == code
        assert body["type"] == "websocket.http.response.body"
        assert not body.get("more_body", False)

    @pytest.mark.parametrize("extensions", [{}, None, ...])
    @pytest.mark.parametrize("lines", [[], [bearer(BAD)]])
    def test_elsewhere_it_is_closed_for_a_policy_violation(self, lines, extensions):
        [message] = websocket(protected(make_manager()), headers=lines, extensions=extensions)
        assert (message["type"], message["code"]) == ("websocket.close", 1008)

    def test_nothing_is_sent_before_the_client_has_connected(self):
        order = []

        async def receive():
            order.append("receive")
            return {"type": "websocket.connect"}

        async def send(message):
            order.append(message["type"])

        scope = http_scope(..., type="websocket", scheme="wss", extensions={})
        run(protected(make_manager())(scope, receive, send))
        assert order == ["receive", "websocket.close"]

    def test_one_with_a_user_is_let_through(self):
        sent = websocket(protected(make_manager()), headers=[bearer(TOKEN)])
        assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
        assert sent[1]["text"] == "'ada'"


class TestSafeNext:
    @pytest.mark.parametrize(
        "value",
        [
            "/",
            "/orders",
            "/orders?page=2&next=//x",
            "/orders#top",
            "/view?param=https://example.com",
            "/url%20with%20spaces/",
            "/confirm/me@example.com",
            "/%2f/example.com",
            "/%5Cexample.com",
            "/..//example.com",
            "/./x",
            "/ü",
            "/\u2028/example.com",
            "/a b",
            "/:80",
            "/@evil.example",
            "/" + "a" * 2_047,
        ],
    )
    def test_a_path_of_this_site_is_given_back(self, value):
        assert safe_next(value, "/default") == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "orders",
            "?x",
            "#x",
            ".",
            "../x",
            "//example.com",
            "///example.com",
            "////example.com",
            "/\\example.com",
            "\\/example.com",
            "\\\\example.com",
            "/\\/example.com",
            "/a\\b",
            "/ok?x=\\",
            "/\t/example.com",
            "/\n/example.com",
            "/\r/example.com",
            "\t//example.com",
            " //example.com",
            " /x",
            "/x\n",
            "/ok\0",
            "/\x01",
            "/\x7f",
            "/\x80",
            "/\x85/x",
            "/\x9f",
            "http://example.com",
            "https://example.com",
            "http:example.com",
            "http:/example.com",
            "HTTPS:\\\\example.com",
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "ftp:9999999999",
            "http://[",
            "/" + "a" * 2_048,
        ],
    )
    def test_everything_else_is_the_default(self, value):
        assert safe_next(value) == "/"
        assert safe_next(value, "/default") == "/default"

    @pytest.mark.parametrize("value", [None, 5, b"/orders", ["/orders"], True, object()])
    def test_what_is_no_string_is_the_default(self, value):
        assert safe_next(value, "/default") == "/default"

    def test_a_value_that_no_header_can_carry_is_the_default(self):
        # A lone surrogate comes out of JSON; a framework that encodes it for Location answers 500.
        assert safe_next("/\ud800", "/default") == "/default"


class TestUntouched:
    def test_a_public_page_is_served_whatever_the_credential(self):
        app = AuthMiddleware(hello, make_manager())
        for line in (bearer(BAD), cookie(BAD), (b"authorization", b"Bearer"), bearer(EXPIRED)):
            answer = request(app, headers=[line])
            assert (answer.status, answer.body) == (200, b"None")

    @pytest.mark.parametrize("kind", ["lifespan", "unknown"])
    def test_other_scopes_pass_through(self, kind):
        seen = []

        async def app(scope, receive, send):
            seen.append((scope, receive, send))

        given = ({"type": kind}, object(), object())
        for wrapped in (AuthMiddleware(app, make_manager()), AuthMiddleware(Gate(app), make_manager())):
            run(wrapped(*given))
        assert seen == [given, given]
        assert given[0] == {"type": kind}

    def test_a_request_without_a_credential_is_answered_with_the_applications_own_messages(self):
        messages = [
            {"type": "http.response.start", "status": 200, "headers": [(b"X-Y", b"1")]},
            {"type": "http.response.body", "body": b"a", "more_body": True},
            {"type": "http.response.body", "body": b"b"},
        ]
        sent = []

        async def app(scope, receive, send):
            for message in messages:
                await send(message)

        async def send(message):
            sent.append(message)

        run(AuthMiddleware(app, make_manager())(http_scope(), None, send))
        assert len(sent) == len(messages)
        assert all(one is other for one, other in zip(sent, messages, strict=True))

    def test_the_scope_is_the_same_object_and_its_state_is_written_in_place(self):
        state = {"own": 1}
        scope = http_scope(headers=[bearer(TOKEN)], state=state)
        seen = []

        async def app(inner, receive, send):
            seen.append(inner)
            await hello(inner, receive, send)

        run(send_request(AuthMiddleware(app, make_manager()), scope))
        assert seen[0] is scope
        assert scope["state"] is state
        assert state.keys() == {"own", "user", "scopes", "auth"}
        assert (state["own"], state["user"]) == (1, "ada")

    def test_the_state_of_all_requests_is_not_written_into(self):
        # Servers hand out a shallow copy of what lifespan put there; one that hands out the original would share users.
        shared = {"database": object()}

        async def inner(scope, receive, send):
            if scope["type"] == "http":
                await hello(scope, receive, send)

        app = AuthMiddleware(inner, make_manager())
        run(app({"type": "lifespan", "state": shared}, None, None))
        scope = http_scope(headers=[bearer(TOKEN)], state=shared)
        assert run(send_request(app, scope)).body == b"'ada'"
        assert scope["state"]["database"] is shared["database"]
        assert shared.keys() == {"database"}

    @pytest.mark.parametrize("lines", [[], [bearer(BAD)]])
    def test_a_client_cannot_leave_a_user_in_the_state(self, lines):
        scope = http_scope(headers=lines, state={"user": "root", "scopes": {"admin"}, "auth": "x"})
        run(send_request(AuthMiddleware(hello, make_manager()), scope))
        assert (scope["state"]["user"], scope["state"]["scopes"]) == (None, frozenset())
        assert not scope["state"]["auth"].is_authenticated

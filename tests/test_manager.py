"""The manager: its defaults, what its settings refuse and with which sentence, and several managers side by side."""

import dataclasses
import gc
import inspect
import time
import weakref
from datetime import timedelta
from pathlib import Path

import pytest
from helpers import (
    COOKIE,
    NOW,
    OTHER_SECRET,
    SECRET,
    Clock,
    authenticate,
    bearer,
    claims,
    cookie,
    hello,
    hs256,
    make_manager,
    public_pem,
    request,
    rs256,
    rsa_pem,
)

from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    InvalidRequest,
    InvalidToken,
    Key,
    LoginManager,
    NotAuthenticated,
    Sessions,
    get_auth,
    login_required,
    requires_scopes,
)


class DeniedError(Exception):
    def __init__(self, message="denied", *, code=5):
        super().__init__(message)
        self.code = code


class NeedsTwoError(Exception):
    def __init__(self, one, two):
        super().__init__(one)


class TestDefaults:
    def test_the_signature_is_the_documented_one(self):
        parameters = inspect.signature(LoginManager).parameters
        positional = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert positional == ["secret", "token_url"]
        transports = parameters["transports"].default
        assert [type(one) for one in transports] == [BearerTransport]
        assert {name: p.default for name, p in parameters.items() if name not in {"secret", "transports"}} == {
            "token_url": "/auth/token",
            "algorithm": "HS256",
            "default_expiry": timedelta(minutes=15),
            "scopes": None,
            "issuer": None,
            "audience": None,
            "leeway": timedelta(0),
            "public_url": None,
            "insecure_any_audience": False,
            "sessions": Sessions(),
            "redirect_to": None,
            "not_authenticated_exception": None,
            "out_of_scope_exception": None,
            "error_body": None,
            "store": None,
            "refresh": None,
            "resource": None,
            "on_event": None,
            "name": "default",
            "realm": "api",
            "token_cache_size": 4096,
            "clock": time.time,
        }

    def test_a_manager_needs_nothing_but_a_secret(self):
        manager = LoginManager(SECRET)
        assert (manager.name, manager.token_url) == ("default", "/auth/token")
        manager.user_loader(_same)
        token = manager.create_access_token(data={"sub": "ada"})
        assert authenticate(manager, bearer(token)).user == "ada"
        assert authenticate(manager, cookie(token)).error is None

    def test_the_clock_is_the_one_that_was_passed(self):
        clock = Clock(5_000)
        manager = make_manager(clock=clock)
        token = manager.create_access_token(data={"sub": "ada"}, expires=timedelta(seconds=10))
        assert authenticate(manager, bearer(token)).expires_at == 5_010
        clock.now = 5_010
        assert authenticate(manager, bearer(token)).error.expired

    def test_a_realm_stands_in_the_challenge(self):
        auth = authenticate(make_manager(realm="orders of the day"))
        with pytest.raises(NotAuthenticated) as caught:
            auth.require()
        assert caught.value.challenge == 'Bearer realm="orders of the day"'


REFUSALS = {
    "name": [(ValueError, ""), (ValueError, "a b"), (ValueError, 'a"b'), (ValueError, "a\nb"), (TypeError, None)],
    "realm": [(ValueError, 'a"b'), (ValueError, "a\\b"), (ValueError, "a\r\nb"), (ValueError, "é"), (TypeError, None)],
    "default_expiry": [
        (TypeError, 900),
        (TypeError, None),
        (ValueError, timedelta(0)),
        (ValueError, timedelta(seconds=-1)),
    ],
    "scopes": [(ValueError, {"a b": ""}), (ValueError, {"": ""}), (TypeError, {5: ""}), (TypeError, ["read"])],
    "issuer": [(ValueError, ""), (ValueError, 5), (ValueError, []), (ValueError, ["a", ""]), (ValueError, {"a", "b"})],
    "audience": [(ValueError, ""), (ValueError, 5), (ValueError, []), (ValueError, ["a", 5]), (ValueError, {"a", "b"})],
    "leeway": [
        (TypeError, 5),
        (TypeError, None),
        (ValueError, timedelta(seconds=-1)),
        (ValueError, timedelta(minutes=5, seconds=1)),
    ],
    "sessions": [(TypeError, True), (TypeError, "basic"), (TypeError, Sessions)],
    "redirect_to": [
        (ValueError, ""),
        (ValueError, "//evil.example"),
        (ValueError, "/\\evil.example"),
        (ValueError, "ftp://example.com/login"),
        (ValueError, "javascript:alert(1)//"),
        (ValueError, "/log in"),
        (ValueError, "/login\r\nX: y"),
        (ValueError, "/é"),
        (ValueError, "login/page"),
        (ValueError, "https:///login"),
        (ValueError, "http://["),
        (TypeError, Path("/login")),
        (TypeError, 5),
    ],
    "transports": [
        (ValueError, ()),
        (TypeError, [object()]),
        (TypeError, [BearerTransport]),
        (TypeError, ["bearer"]),
        (TypeError, BearerTransport()),
        (ValueError, [BearerTransport(), BearerTransport()]),
        (ValueError, [CookieTransport(), CookieTransport("__Host-other")]),
    ],
    "not_authenticated_exception": [
        (TypeError, "denied"),
        (TypeError, 401),
        (TypeError, object),
        (TypeError, KeyboardInterrupt),
        (TypeError, KeyboardInterrupt()),
        (TypeError, NeedsTwoError),
    ],
    "out_of_scope_exception": [(TypeError, "denied"), (TypeError, object()), (TypeError, NeedsTwoError)],
    "token_cache_size": [
        (ValueError, -1),
        (ValueError, 1.5),
        (ValueError, True),
        (ValueError, None),
        (ValueError, "9"),
    ],
    "clock": [(TypeError, None), (TypeError, 1_700_000_000)],
}
WORDS = {"transports": "transport", "name": "name"}


class TestRefusals:
    @pytest.mark.parametrize(
        ("argument", "problem", "value"),
        [(argument, problem, value) for argument, cases in REFUSALS.items() for problem, value in cases],
        ids=lambda value: repr(value)[:40],
    )
    def test_a_bad_setting_is_refused_with_a_sentence_that_names_it(self, argument, problem, value):
        with pytest.raises(problem, match=WORDS.get(argument, argument)) as caught:
            LoginManager(SECRET, **{argument: value})
        assert len(str(caught.value).split()) >= 4

    @pytest.mark.parametrize("leeway", [timedelta(0), timedelta(seconds=1), timedelta(minutes=5)])
    def test_a_leeway_of_some_minutes_is_allowed(self, leeway):
        assert LoginManager(SECRET, leeway=leeway).config.tokens.rules.leeway == leeway.total_seconds()

    @pytest.mark.parametrize(
        "redirect_to", ["/login", "/login?x=1", "https://id.example/login", "login_page", "auth:login"]
    )
    def test_a_login_page_is_a_path_a_url_or_the_name_of_a_route(self, redirect_to):
        assert LoginManager(SECRET, redirect_to=redirect_to).config.redirect_to == redirect_to

    def test_an_audience_and_any_audience_contradict_each_other(self):
        with pytest.raises(ValueError, match="audience= and insecure_any_audience=True contradict each other"):
            LoginManager(SECRET, audience="api", insecure_any_audience=True)

    def test_an_argument_that_nobody_knows_is_refused(self):
        with pytest.raises(TypeError, match="secure"):
            LoginManager(SECRET, secure=True)

    def test_a_route_name_without_an_adapter_is_refused_by_the_middleware(self):
        with pytest.raises(ValueError, match="name of a route, which only the Starlette and FastAPI adapters"):
            AuthMiddleware(hello, make_manager(redirect_to="login_page"))


class TestVerifyOnly:
    def test_a_public_key_without_an_audience_is_refused(self):
        with pytest.raises(ValueError, match=r"must name its audience=.*insecure_any_audience=True"):
            LoginManager(public_pem(rsa_pem()), algorithm="RS256")

    @pytest.mark.parametrize("value", [None, 1, "no"])
    def test_any_audience_is_accepted_where_that_is_said_plainly(self, value):
        with pytest.raises(TypeError, match="insecure_any_audience is True or False"):
            LoginManager(SECRET, insecure_any_audience=value)

    @pytest.mark.parametrize("settings", [{"audience": "api"}, {"insecure_any_audience": True}])
    def test_with_one_or_the_explicit_choice_of_none_it_is_not(self, settings):
        manager = make_manager(public_pem(rsa_pem()), algorithm="RS256", **settings)
        assert authenticate(manager, bearer(rs256(claims(aud="api")))).user == "ada"

    def test_anothers_id_token_is_no_access_token(self):
        manager = make_manager(public_pem(rsa_pem()), algorithm="RS256", audience="api")
        for aud in (..., "another-client", ["another-client"]):
            assert isinstance(authenticate(manager, bearer(rs256(claims(aud=aud)))).error, InvalidToken)

    def test_strong_protection_needs_a_key_that_signs(self):
        settings = {"algorithm": "RS256", "audience": "api"}
        with pytest.raises(ValueError, match='protection="strong" needs a key that signs'):
            LoginManager(public_pem(rsa_pem()), sessions=Sessions(protection="strong"), **settings)
        for sessions in (None, Sessions(), Sessions(protection=None)):
            LoginManager(public_pem(rsa_pem()), sessions=sessions, **settings)
        LoginManager(rsa_pem(), sessions=Sessions(protection="strong"), **settings)

    @pytest.mark.parametrize("own_first", [True, False])
    def test_a_key_of_its_own_does_not_spare_it_the_audience(self, own_first):
        keys = [Key(SECRET), Key(public_pem(rsa_pem()), "RS256")]
        keys = keys if own_first else keys[::-1]
        with pytest.raises(ValueError, match="must name its audience"):
            LoginManager(keys)
        LoginManager(keys, audience="api")


class TestSessions:
    def test_the_defaults_are_the_documented_ones(self):
        sessions = Sessions()
        assert dataclasses.asdict(sessions) == {
            "idle": timedelta(minutes=15),
            "lifetime": timedelta(days=30),
            "remember_for": timedelta(days=30),
            "remember_at_most": timedelta(days=365),
            "fresh_for": timedelta(minutes=10),
            "protection": "basic",
            "fingerprint": None,
            "stamp": None,
            "listed": False,
            "device": None,
            "reauthenticate_at": None,
        }

    def test_they_are_given_by_name_and_cannot_be_changed(self):
        with pytest.raises(TypeError):
            Sessions(timedelta(minutes=5))
        with pytest.raises(dataclasses.FrozenInstanceError):
            Sessions().idle = timedelta(days=1)

    @pytest.mark.parametrize("name", ["idle", "lifetime", "remember_for", "fresh_for"])
    @pytest.mark.parametrize(
        ("problem", "value"),
        [(TypeError, 900), (TypeError, None), (ValueError, timedelta(0)), (ValueError, timedelta(seconds=-1))],
    )
    def test_a_duration_is_a_positive_timedelta(self, name, problem, value):
        with pytest.raises(problem, match=name):
            Sessions(**{name: value})

    def test_an_idle_time_is_not_longer_than_the_lifetime(self):
        with pytest.raises(ValueError, match="idle must not be longer than lifetime"):
            Sessions(idle=timedelta(days=31))
        Sessions(idle=timedelta(days=30))

    @pytest.mark.parametrize("protection", ["Basic", "", "none", True, 0])
    def test_protection_is_one_of_three(self, protection):
        with pytest.raises(ValueError, match="protection is"):
            Sessions(protection=protection)

    @pytest.mark.parametrize("page", ["", "//evil.example", "/\\evil.example", "ftp://a/", "/a b"])
    def test_where_to_log_in_again_is_a_path_or_url(self, page):
        with pytest.raises(ValueError, match="reauthenticate_at"):
            Sessions(reauthenticate_at=page)

    def test_a_repr_shows_no_functions(self):
        text = repr(Sessions(stamp=lambda user: "hunter2", fingerprint=lambda scope: b""))
        assert "lambda" not in text

    def test_fresh_for_is_how_long_a_proof_counts(self):
        for sessions, age, fresh in (
            (Sessions(fresh_for=timedelta(seconds=5)), 5, True),
            (Sessions(fresh_for=timedelta(seconds=5)), 6, False),
            (None, 600, True),
            (None, 601, False),
        ):
            manager = make_manager(sessions=sessions)
            assert authenticate(manager, bearer(hs256(claims(auth_time=NOW - age)))).fresh is fresh


class TestSecrecy:
    def test_a_repr_shows_no_secret(self):
        key = Key(SECRET, kid="2024")
        for manager in (make_manager(SECRET), make_manager(key), make_manager([SECRET, OTHER_SECRET])):
            for text in (repr(manager), str(manager), repr(manager.config), repr(vars(manager))):
                assert SECRET not in text
                assert OTHER_SECRET not in text

    def test_a_repr_tells_managers_apart(self):
        assert repr(make_manager(name="web")).startswith(
            "LoginManager(name='web', transports=[BearerTransport('bearer'),"
        )

    def test_an_auth_shows_neither_user_nor_claims(self):
        auth = authenticate(
            make_manager(users=None), bearer(hs256(claims(sub="ada-lovelace", email="ada@example.com")))
        )
        assert "ada" not in repr(auth)
        assert "authenticated" in repr(auth)
        assert "InvalidToken" in repr(authenticate(make_manager(), bearer("a.b.c")))

    def test_the_settings_cannot_be_changed(self):
        manager = make_manager()
        for name in ("name", "token_url", "config", "cookie_transport"):
            with pytest.raises(AttributeError):
                setattr(manager, name, "other")
        with pytest.raises(dataclasses.FrozenInstanceError):
            manager.config.realm = "other"

    def test_what_is_passed_is_not_kept(self):
        scopes, transports = {"read": "Read"}, [BearerTransport()]
        manager = make_manager(scopes=scopes, transports=transports)
        scopes["write"] = "Write"
        transports.append(CookieTransport())
        assert dict(manager.config.scopes) == {"read": "Read"}
        assert len(manager.config.transports) == 1
        with pytest.raises(TypeError):
            manager.config.scopes["write"] = "Write"


class TestOwnExceptions:
    def raised(self, manager, *headers, view=None, needs=()):
        caught = []

        @login_required
        def default():
            raise AssertionError("the view ran")

        gated = requires_scopes(*needs)(lambda: None) if needs else default

        async def app(scope, receive, send):
            try:
                gated()
            except Exception as problem:  # noqa: BLE001 - whatever it is
                caught.append(problem)
            await hello(scope, receive, send)

        assert request(AuthMiddleware(app, manager), headers=headers).status == 200
        return caught[0]

    @pytest.mark.parametrize("exception", [DeniedError, DeniedError("go away", code=7)])
    @pytest.mark.parametrize("line", [None, bearer("a.b.c"), (b"authorization", b"Bearer")])
    def test_decorators_raise_the_applications_own_exception(self, exception, line):
        manager = make_manager(not_authenticated_exception=exception)
        problem = self.raised(manager, *([line] if line else []))
        expected = exception() if isinstance(exception, type) else exception
        assert type(problem) is DeniedError
        assert (problem.args, problem.code) == (expected.args, expected.code)

    def test_a_missing_scope_raises_its_own(self):
        manager = make_manager(out_of_scope_exception=DeniedError, not_authenticated_exception=KeyError)
        assert type(self.raised(manager, bearer(hs256()), needs=["admin"])) is DeniedError
        assert type(self.raised(manager, needs=["admin"])) is KeyError

    def test_without_one_they_raise_ours(self):
        assert type(self.raised(make_manager(out_of_scope_exception=DeniedError))) is NotAuthenticated
        assert type(self.raised(make_manager(), bearer("a.b.c"))) is InvalidToken
        assert type(self.raised(make_manager(), (b"authorization", b"Bearer"))) is InvalidRequest

    def test_no_exception_is_raised_twice(self):
        # One instance raised again and again chains the traceback of every request to it, and with these the requests.
        own = DeniedError("go away")
        manager = make_manager(not_authenticated_exception=own)
        first, second = self.raised(manager), self.raised(manager)
        assert len({id(first), id(second), id(own)}) == 3
        assert own.__traceback__ is None
        assert own.__context__ is None

    def test_a_kept_error_holds_no_request(self):
        auth = authenticate(make_manager(), bearer("a.b.c"))
        first, second = (self.raised(make_manager(), bearer("a.b.c")) for _ in range(2))
        assert first is not second
        for _ in range(2):
            with pytest.raises(InvalidToken) as caught:
                auth.require()
            assert caught.value is not auth.error
        assert auth.error.__traceback__ is None
        assert auth.error.__context__ is None

    def test_a_request_is_gone_as_soon_as_it_is_answered(self):
        class State(dict):
            pass

        gc.collect()
        gc.disable()
        try:
            for line in (bearer("a.b.c"), bearer(hs256()), cookie("junk")):
                state = State()
                gone = weakref.ref(state)
                request(AuthMiddleware(hello, make_manager()), headers=[line], state=state)
                del state
                assert gone() is None
        finally:
            gc.enable()


class TestSeveralManagers:
    def web_and_api(self, **settings):
        web = make_manager(SECRET, name="web", users=("ada",))
        api = make_manager(OTHER_SECRET, name="api", users=("bob",), **settings)
        return web, api

    def auth(self, managers, *headers):
        seen = []

        async def app(scope, receive, send):
            seen.append(get_auth(scope))
            await hello(scope, receive, send)

        assert request(AuthMiddleware(app, managers), headers=headers).status == 200
        return seen[0]

    def test_each_takes_its_own_tokens(self):
        managers = self.web_and_api()
        ours, theirs = hs256(), hs256(claims(sub="bob"), secret=OTHER_SECRET)
        for line in (bearer, cookie):
            auth = self.auth(managers, line(ours))
            assert (auth.user, auth.manager) == ("ada", "web")
            auth = self.auth(managers, line(theirs))
            assert (auth.user, auth.manager) == ("bob", "api")

    def test_of_errors_the_first_is_kept(self):
        auth = self.auth(self.web_and_api(), bearer(hs256(secret="x" * 32)))
        assert (auth.manager, type(auth.error)) == ("web", InvalidToken)

    def test_headers_of_all_come_before_cookies_of_any(self):
        theirs = hs256(claims(sub="bob"), secret=OTHER_SECRET)
        auth = self.auth(self.web_and_api(), cookie(hs256()), bearer(theirs))
        assert (auth.user, auth.manager, auth.transport) == ("bob", "api", "bearer")

    def test_a_header_that_nobody_accepts_is_not_passed_over_for_a_cookie(self):
        auth = self.auth(self.web_and_api(), cookie(hs256()), bearer("a.b.c"))
        assert (auth.user, auth.transport) == (None, "bearer")
        assert isinstance(auth.error, InvalidToken)

    def test_an_admins_token_is_useless_to_another_manager(self):
        admin = make_manager(OTHER_SECRET, name="admin").create_access_token(data={"sub": "ada"}, scopes=["admin"])
        assert authenticate(make_manager(SECRET), bearer(admin)).user is None

    def test_equal_names_are_refused(self):
        with pytest.raises(ValueError, match=r"two managers have the same name .*: pass name="):
            AuthMiddleware(hello, [make_manager(SECRET), make_manager(OTHER_SECRET)])

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({}, {}),
            ({"issuer": "a"}, {}),
            ({"issuer": "a"}, {"issuer": "a"}),
            ({"issuer": ["a", "b"]}, {"issuer": ["c", "b"]}),
            ({"audience": "a"}, {"audience": "a"}),
            ({"audience": ["a", "b"]}, {"audience": ["c", "b"]}),
            ({"audience": "a"}, {"insecure_any_audience": True}),
            ({"insecure_any_audience": True}, {"insecure_any_audience": True}),
        ],
    )
    def test_a_shared_key_is_refused_where_tokens_of_one_log_into_the_other(self, one, other):
        for secret in (SECRET, Key(SECRET, kid="other"), [OTHER_SECRET, SECRET]):
            managers = [make_manager(SECRET, name="a", **one), make_manager(secret, name="b", **other)]
            with pytest.raises(ValueError, match="share a key"):
                AuthMiddleware(hello, managers)
            with pytest.raises(ValueError, match="share a key"):
                AuthMiddleware(hello, managers[::-1])

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"issuer": "a"}, {"issuer": "b"}),
            ({"issuer": ["a", "b"]}, {"issuer": ["c"]}),
            ({"audience": "a"}, {"audience": "b"}),
            ({"audience": ["a", "b"]}, {"audience": ["c"]}),
            ({"audience": "a"}, {}),
        ],
    )
    def test_it_is_allowed_where_issuer_or_audience_differ(self, one, other):
        a, b = (make_manager(SECRET, name=name, **settings) for name, settings in (("a", one), ("b", other)))
        for issuing in (a, b):
            token = issuing.create_access_token(data={"sub": "ada"})
            assert self.auth([a, b], bearer(token)).manager == issuing.name
            assert self.auth([b, a], bearer(token)).manager == issuing.name

    def test_no_manager_at_all_is_refused(self):
        with pytest.raises(ValueError, match="at least one LoginManager"):
            AuthMiddleware(hello, [])

    def test_the_cookie_of_the_tests_is_the_default_one(self):
        assert make_manager().cookie_transport.cookie_name == COOKIE


async def _same(sub):
    return sub

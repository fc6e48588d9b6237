"""The claims of a token: what each may be, and how the application gets them."""

import json
from datetime import timedelta
from types import MappingProxyType

import pytest
from helpers import COOKIE, NOW, Clock, authenticate, bearer, claims, cookie, hs256, make_manager, parts
from tokens.verdict import accepted, refused

from asgi_login import InsufficientScope

YEAR_9999 = 253_402_300_799


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
            ({"scope": []}, set()),
            ({"scope": ["read", "write"]}, {"read", "write"}),
            ({"scopes": []}, set()),
            ({"scopes": ["read"]}, {"read"}),
            ({"scopes": ["read", "write"]}, {"read", "write"}),
        ],
    )
    def test_scope_is_a_string_or_a_list_and_scopes_a_list(self, granted, scopes):
        expected = set(granted["scope"].split(" ")) if scopes is ... else scopes
        auth = accepted(hs256(claims(**granted)))
        assert type(auth.scopes) is frozenset
        assert auth.scopes == expected

    @pytest.mark.parametrize(
        "scope",
        [
            *(None, 5, True, [5], [""], ["read write"], [["read"]], ["a\nb"], {"read": 1}),
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


@pytest.mark.parametrize("name", ["issuer", "audience"])
@pytest.mark.parametrize("value", ["", "a" * 256, "a\nb", 5, b"app", [], ["app", ""], [5], {"app", "api"}])
def test_a_setting_that_no_claim_can_equal_is_refused_by_its_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} is a non-empty string of at most 255 characters"):
        make_manager(**{name: value})

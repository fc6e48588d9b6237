"""Issuing tokens: what they say, and what is refused before it is signed."""

import json
from datetime import timedelta
from types import MappingProxyType

import pytest
from helpers import NOW, SECRET, Clock, authenticate, bearer, make_manager, parts, unb64
from tokens.verdict import accepted

from asgi_login import Key


class TestIssue:
    def test_an_access_token_says_what_it_is(self):
        manager = make_manager(clock=Clock(NOW + 0.9))
        header, payload = parts(manager.create_access_token(data={"sub": "ada"}))
        assert header == {"alg": "HS256", "typ": "at+jwt", "kid": Key(SECRET).kid}
        jti = payload.pop("jti")
        assert payload == {"sub": "ada", "iat": NOW, "exp": NOW + 900}
        assert len(unb64(jti)) == 16

    def test_the_longest_token_that_is_read_is_issued_and_no_longer_one(self):
        # The signature of HS256 has a length with which no token is exactly as long.
        manager = make_manager(Key("k" * 64, "HS512"))
        issued, pad = {}, 12_000
        while True:
            try:
                token = manager.create_access_token(data={"sub": "ada", "pad": "a" * pad})
            except ValueError:
                break
            issued[len(token)], pad = token, pad + 1
        assert max(issued) == 16_384
        assert authenticate(manager, bearer(issued[16_384])).user == "ada"

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
            {"scope": [5]},
            {"scope": "a  b"},
            {"scopes": "a"},
            {"scope": "a", "scopes": ["a"]},
            {"cnf": {"jkt": "x"}},
            {"x": float("nan")},
            {"x": float("inf")},
            {"x": "\ud800"},
            {"x": json.loads("[" * 33 + "]" * 33)},
            {"pad": "a" * 16_384},
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

        spare = (16_384 - len(issue(0))) * 3 // 4
        longest = issue(spare)
        assert len(longest) >= 16_382
        # In a cookie it would be longer than all Cookie lines together may be.
        assert authenticate(manager, bearer(longest)).user == "ada"
        with pytest.raises(ValueError, match="more than the 16384 that are read"):
            issue(spare + 3)

    def test_no_refusal_quotes_a_claim(self):
        for extra in ({"nbf": "hunter2-hunter2"}, {"scope": "hunter2-hunter2  x"}, {"x": "hunter2-hunter2\ud800"}):
            with pytest.raises(ValueError) as caught:
                make_manager().create_access_token(data={"sub": "ada", **extra})
            assert "hunter2" not in str(caught.value)

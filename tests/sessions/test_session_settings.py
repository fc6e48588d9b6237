"""What the settings of sessions and of refresh tokens refuse."""

from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest
from helpers import SECRET, public_pem, rsa_pem

from asgi_login import Key, LoginManager, MemoryStore, Refresh, Sessions


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"idle": timedelta(0)}, "idle"),
        ({"lifetime": timedelta(seconds=-1)}, "lifetime"),
        ({"remember_for": timedelta(0)}, "remember_for"),
        ({"fresh_for": timedelta(0)}, "fresh_for"),
        ({"idle": timedelta(days=2), "lifetime": timedelta(days=1)}, "idle"),
        ({"idle": timedelta(milliseconds=1)}, "idle must be at least a second"),
        ({"remember_for": timedelta(days=36_526)}, "remember_for must be at least a second and at most 100 years"),
        ({"remember_for": timedelta(days=2), "remember_at_most": timedelta(days=1)}, "remember_at_most"),
        ({"protection": "Strong"}, "protection"),
        ({"reauthenticate_at": "javascript:alert(1)//"}, "reauthenticate_at"),
        ({"reauthenticate_at": "//evil.example"}, "reauthenticate_at"),
    ],
)
def test_settings_that_would_never_work_are_refused_in_a_sentence(settings, match):
    with pytest.raises(ValueError, match=match):
        Sessions(**settings)


@pytest.mark.parametrize("name", ["fingerprint", "stamp", "device"])
def test_what_is_to_be_called_must_be_callable(name):
    with pytest.raises(TypeError, match=f"{name} is a function, or None"):
        Sessions(**{name: "ada"})


@pytest.mark.parametrize(
    ("settings", "problem", "match"),
    [
        ({"idle": timedelta(0)}, ValueError, "idle must be positive"),
        ({"idle": timedelta(milliseconds=1)}, ValueError, "idle must be at least a second"),
        ({"lifetime": timedelta(days=36_526)}, ValueError, "lifetime must be .* at most 100 years"),
        ({"idle": timedelta(days=31)}, ValueError, "idle must not be longer than lifetime"),
        ({"reuse_window": timedelta(seconds=-1)}, ValueError, "reuse_window must be positive"),
        ({"reuse_window": timedelta(seconds=61)}, ValueError, "reuse_window must be at most a minute"),
        ({"reuse_window": 10}, TypeError, "reuse_window is a timedelta"),
        ({"idle": 15}, TypeError, "idle is a timedelta"),
    ],
)
def test_settings_of_refresh_tokens_that_would_never_work_are_refused_in_a_sentence(settings, problem, match):
    with pytest.raises(problem, match=match):
        Refresh(**settings)


def test_settings_of_refresh_tokens_are_frozen_and_have_the_defaults_of_the_reference():
    assert Refresh() == Refresh(
        idle=timedelta(days=15), lifetime=timedelta(days=30), reuse_window=timedelta(seconds=10)
    )
    assert Refresh(reuse_window=timedelta(0)).reuse_window == timedelta(0)
    with pytest.raises(FrozenInstanceError):
        Refresh().idle = timedelta(1)


@pytest.mark.parametrize(
    ("settings", "problem", "match"),
    [
        ({"refresh": Refresh()}, ValueError, r"refresh= needs LoginManager\(store=\)"),
        ({"refresh": True, "store": MemoryStore()}, TypeError, "refresh must be Refresh or None, not bool"),
        ({"refresh": Refresh, "store": MemoryStore()}, TypeError, "refresh must be Refresh or None, not type"),
        (
            {"refresh": Refresh(lifetime=timedelta(days=32)), "store": MemoryStore()},
            ValueError,
            "the store remembers what was ended for 31 days",
        ),
    ],
)
def test_refresh_tokens_that_would_not_work_are_refused_when_the_manager_is_made(settings, problem, match):
    with pytest.raises(problem, match=match):
        LoginManager(SECRET, **settings)


def test_refresh_tokens_need_a_key_that_signs():
    key = Key(public_pem(rsa_pem()), "RS256")
    with pytest.raises(ValueError, match="refresh= needs a key that signs"):
        LoginManager(key, audience="here", refresh=Refresh(), store=MemoryStore())


def test_refresh_tokens_may_live_as_long_as_the_store_remembers():
    LoginManager(SECRET, refresh=Refresh(lifetime=timedelta(days=31)), store=MemoryStore())


def test_a_setting_of_refresh_tokens_on_the_manager_says_where_it_belongs():
    with pytest.raises(AttributeError, match=r"pass refresh=Refresh\(reuse_window=...\) to LoginManager"):
        LoginManager(SECRET).reuse_window = timedelta(0)

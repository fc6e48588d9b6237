"""What the settings of sessions refuse."""

from datetime import timedelta

import pytest

from asgi_login import Sessions


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

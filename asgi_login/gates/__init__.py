"""What keeps a request out: decorators for views of any framework, and Gate, the same around an ASGI application.

Read `rule` first: it says who may pass, and finds out what keeps a request out. `decorators` stand around views, where
they raise that; `gate` stands around an application, and answers by itself.
"""

from asgi_login.gates.decorators import (
    check_current,
    fresh_login_required,
    login_required,
    requires,
    requires_scopes,
)
from asgi_login.gates.gate import Gate
from asgi_login.gates.rule import Check, Rule, application_exception, check_is_function

__all__ = [
    "Check",
    "Gate",
    "Rule",
    "application_exception",
    "check_current",
    "check_is_function",
    "fresh_login_required",
    "login_required",
    "requires",
    "requires_scopes",
]

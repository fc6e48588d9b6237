"""`asgi_login.testing`: what a test client sends to be a certain user."""

import pytest
from helpers import make_manager, protected, request

from asgi_login import BearerTransport, CookieTransport, HeaderTransport
from asgi_login.testing import logged_in

GATEWAY = HeaderTransport("X-Forwarded-Access-Token", name="gateway", ambient=True)


class TestLoggedIn:
    @pytest.mark.parametrize(
        ("transport", "name"),
        [
            (BearerTransport(), "Authorization"),
            (CookieTransport(), "Cookie"),
            (GATEWAY, "X-Forwarded-Access-Token"),
        ],
        ids=["bearer", "cookie", "header"],
    )
    def test_its_headers_are_those_of_the_managers_first_transport(self, transport, name):
        manager = make_manager(transports=[transport])
        credentials = logged_in(manager, "ada")
        assert list(credentials.headers) == [name]
        lines = [(key.lower().encode(), value.encode()) for key, value in credentials.headers.items()]
        assert request(protected(manager), headers=lines).status == 200
        assert bool(credentials.cookies) is (name == "Cookie")

    def test_another_transport_is_chosen_by_its_name(self):
        manager = make_manager(transports=[BearerTransport(), GATEWAY])
        assert list(logged_in(manager, "ada", transport="gateway").headers) == ["X-Forwarded-Access-Token"]

    def test_a_transport_that_the_manager_does_not_have_is_named(self):
        with pytest.raises(ValueError, match="this manager has bearer, asked for: gateway"):
            logged_in(make_manager(transports=[BearerTransport()]), "ada", transport="gateway")

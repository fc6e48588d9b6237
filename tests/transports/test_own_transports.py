"""Transports of the application's own."""

import pytest
import starlette.responses
from helpers import authenticate, bearer, cookie, make_manager, protected, request
from transports.reading import OTHER, TOKEN

from asgi_login import BearerTransport, CookieTransport, InvalidRequest, InvalidToken, Transport


class TestOwnTransports:
    class Query:
        name = "query"
        ambient = False

        def extract(self, scope):
            for pair in scope["query_string"].decode().split("&"):
                name, _, value = pair.partition("=")
                if name == "ticket":
                    if not value:
                        raise InvalidRequest("an empty ticket")
                    return value
            return None

    def test_a_transport_is_whatever_has_its_three_members(self):
        for transport in (BearerTransport(), CookieTransport(), self.Query()):
            assert isinstance(transport, Transport)
        assert not isinstance(object(), Transport)

    def test_one_of_ones_own_works_like_ours(self):
        manager = make_manager(transports=[self.Query(), BearerTransport()])
        auth = authenticate(manager, query_string=b"ticket=" + TOKEN.encode())
        assert (auth.user, auth.transport) == ("ada", "query")
        assert authenticate(manager, bearer(OTHER), query_string=b"").user == "user1"
        assert type(authenticate(manager, query_string=b"ticket=").error) is InvalidRequest
        assert type(authenticate(manager, query_string=b"ticket=\xc3\xa9").error) is InvalidToken

    @pytest.mark.parametrize("name", [None, 7, b"query", ""])
    def test_its_name_is_a_string(self, name):
        transport = self.Query()
        transport.name = name
        with pytest.raises(ValueError, match="a transport's name is a non-empty string"):
            make_manager(transports=[transport])

    @pytest.mark.parametrize("kind", [set, frozenset])
    def test_the_origins_that_it_trusts_are_any_set(self, kind):
        transport = self.Query()
        transport.ambient = True
        transport.trusted_origins = kind([b"https://app.example"])
        app = protected(make_manager(transports=[transport]))
        for origin, status in ((b"https://app.example", 200), (b"https://evil.example", 403)):
            headers = [(b"origin", origin)]
            scope = {"headers": headers, "query_string": b"ticket=" + TOKEN.encode()}
            assert request(app, "POST", **scope).status == status

    def test_an_ambient_one_is_origin_checked(self):
        class Ambient(self.Query):
            ambient = True

        app = protected(make_manager(transports=[Ambient()]))
        scope = {"query_string": b"ticket=" + TOKEN.encode()}
        assert request(app, "POST", **scope).status == 200
        assert request(app, "POST", headers=[(b"sec-fetch-site", b"cross-site")], **scope).status == 403

    def test_of_several_cookies_each_is_read_and_the_first_is_written(self):
        manager = make_manager(
            transports=[CookieTransport("__Host-a", name="a"), CookieTransport("__Host-b", name="b")]
        )
        assert authenticate(manager, cookie(TOKEN, "__Host-a")).transport == "a"
        assert authenticate(manager, cookie(TOKEN, "__Host-b")).transport == "b"
        response = starlette.responses.Response()
        manager.set_cookie(response, TOKEN)
        assert response.headers["set-cookie"].startswith("__Host-a=")

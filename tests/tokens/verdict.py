"""What becomes of a token that is sent both ways, in a header and in a cookie."""

from helpers import authenticate, bearer, cookie, make_manager

from asgi_login import InvalidRequest, InvalidToken


def accepted(token, manager=None, **settings):
    """Send a good token both ways and return its Auth."""
    manager = manager or make_manager(**settings)
    for line in (bearer(token), cookie(token)):
        auth = authenticate(manager, line)
        assert auth.error is None
        assert auth.is_authenticated
        assert auth.user == auth.claims["sub"]
    return auth


def refused(token, manager=None, **settings):
    """Send a bad token both ways, see that nobody is logged in, and return the error of the header's."""
    loaded = []
    manager = manager or make_manager(users=None, loaded=loaded, **settings)
    from_header, from_cookie = authenticate(manager, bearer(token)), authenticate(manager, cookie(token))
    for auth in (from_header, from_cookie):
        assert not auth.is_authenticated
        assert auth.user is None
        assert auth.claims == {}
        assert auth.scopes == frozenset()
        assert auth.expires_at is None
    assert loaded == []
    assert from_cookie.error is None or type(from_cookie.error) is InvalidToken
    assert isinstance(from_header.error, (InvalidToken, InvalidRequest))
    return from_header.error

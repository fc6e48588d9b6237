"""RefreshCookie: a refresh token that no script of a page can read, and no other site can use."""

import logging
import time

import pytest
from fastapi import Response as FastAPIResponse
from helpers import Clock, claims, hs256, make_manager, parts
from oauth.posting import DownStore, issuing, pair_of, post, said

from asgi_login import Grant
from asgi_login.oauth import RefreshCookie, RevocationEndpoint, TokenEndpoint

NAME = "__Secure-refresh-token"
OURS = [(b"host", b"example.com"), (b"origin", b"https://example.com")]
PASSWORD = {"grant_type": "password", "username": "ada", "password": "x"}


async def check(username, password):
    return Grant("ada", scopes=["read"])


def carrying(token, name=NAME):
    return (b"cookie", f"{name}={token}".encode())


def set_by(answer, name=NAME):
    """Return the value and attributes of the one cookie that an answer sets."""
    [line] = answer.all("set-cookie")
    pair, *attributes = line.split("; ")
    key, _, value = pair.partition("=")
    assert key == name
    return value, attributes


def is_deleted(answer):
    value, attributes = set_by(answer)
    return value == "" and {"Max-Age=0", "Path=/auth", "Secure", "HttpOnly", "SameSite=Strict"} <= set(attributes)


class Page:
    """What a page of the site does, with the browser's cookie."""

    def __init__(self, manager=None, **cookie):
        self.manager = manager or issuing()
        self.cookie = RefreshCookie(**cookie)
        self.tokens = TokenEndpoint(self.manager, password=check, cookie=self.cookie)
        self.revoke = RevocationEndpoint(self.manager, cookie=self.cookie)

    def log_in(self):
        return post(self.tokens, PASSWORD, headers=OURS)

    def refresh(self, token, form=(), *, headers=OURS, **more):
        return post(self.tokens, form, headers=[*headers, carrying(token)], **more)

    def log_out(self, token, form=(), *, headers=OURS):
        return post(self.revoke, form, path="/auth/revoke", headers=[*headers, carrying(token)])


@pytest.fixture
def page():
    return Page()


def test_the_refresh_token_travels_in_the_cookie_and_never_in_the_body(page):
    answer = page.log_in()
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    value, attributes = set_by(answer)
    assert set(attributes) == {"Max-Age=1296000", "Path=/auth", "Secure", "HttpOnly", "SameSite=Strict"}
    assert answer.header("cache-control") == "no-store"
    again = page.refresh(value)
    assert again.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert parts(set_by(again)[0])[1]["gen"] == 2


def test_the_cookie_lives_as_long_as_its_token(page):
    clock = Clock()
    page = Page(issuing(clock=clock))
    token, _ = set_by(page.log_in())
    for _ in range(2):
        clock.now += 10 * 86_400
        token, attributes = set_by(page.refresh(token))
    # The login lives 30 days at most.
    assert f"Max-Age={10 * 86_400}" in attributes


@pytest.mark.parametrize(
    "form", [{}, {"grant_type": "refresh_token"}, {"grant_type": "refresh_token", "scope": "read"}]
)
def test_a_page_needs_to_send_nothing_but_the_cookie(page, form):
    assert page.refresh(pair_of(page.manager, scopes=["read"]).refresh_token, form).status == 200


def test_a_request_without_body_and_type_will_do(page):
    token = pair_of(page.manager).refresh_token
    answer = page.refresh(token, body=b"")
    assert answer.status == 200


def test_two_tabs_that_refresh_at_once_both_go_on(page):
    token = pair_of(page.manager).refresh_token
    one, other = page.refresh(token), page.refresh(token)
    assert (one.status, other.status) == (200, 200)
    # The browser keeps the cookie that came last.
    assert page.refresh(set_by(other)[0]).status == 200


def test_without_the_cookie_the_user_is_asked_to_log_in_and_nothing_is_deleted(page):
    # Another tab may log in at this moment, and must not lose its cookie to this answer.
    answer = post(page.tokens, headers=OURS)
    assert said(answer) == (400, "invalid_grant")
    assert answer.all("set-cookie") == []


@pytest.mark.parametrize("token", ["nonsense", hs256(claims()), "\xe4"])
def test_a_cookie_that_is_no_good_is_deleted(page, token):
    answer = page.refresh(token)
    assert said(answer) == (400, "invalid_grant")
    assert is_deleted(answer)


def test_a_cookie_that_is_sent_twice_with_two_values_is_none(page):
    one, other = pair_of(page.manager), pair_of(page.manager)
    planted = carrying(f"{one.refresh_token}; {NAME}={other.refresh_token}")
    assert said(post(page.tokens, headers=[*OURS, planted])) == (400, "invalid_grant")
    assert page.refresh(one.refresh_token).status == 200


def test_a_cookie_is_kept_where_it_may_be_good(page):
    token = pair_of(page.manager, scopes=["read"]).refresh_token
    for form in ({"grant_type": "refresh_token", "scope": "admin"}, {"grant_type": "nonsense"}, {"a": "b"}):
        answer = page.refresh(token, form)
        assert answer.status == 400
        assert answer.all("set-cookie") == []
    assert page.refresh(token).status == 200


def test_a_store_that_is_down_leaves_the_cookie_alone():
    store = DownStore()
    page = Page(issuing(store=store))
    token = pair_of(page.manager).refresh_token
    store.is_down = True
    answer = page.refresh(token)
    assert said(answer) == (503, "temporarily_unavailable")
    assert answer.all("set-cookie") == []
    store.is_down = False
    assert page.refresh(token).status == 200


def test_a_refresh_token_in_the_form_is_not_taken(page):
    token = pair_of(page.manager).refresh_token
    answer = post(page.tokens, {"grant_type": "refresh_token", "refresh_token": token}, headers=OURS)
    assert said(answer) == (400, "invalid_request")


def test_a_wrong_password_leaves_the_cookie_of_the_login_before_alone():
    manager = issuing()

    async def wrong(username, password):
        return None

    tokens = TokenEndpoint(manager, password=wrong, cookie=RefreshCookie())
    token = pair_of(manager).refresh_token
    answer = post(tokens, PASSWORD, headers=[*OURS, carrying(token)])
    assert said(answer) == (400, "invalid_grant")
    assert answer.all("set-cookie") == []


FOREIGN = {
    "another origin": [(b"host", b"example.com"), (b"origin", b"https://evil.example")],
    "a sandboxed frame": [(b"host", b"example.com"), (b"origin", b"null")],
    "another site, as the browser says": [(b"sec-fetch-site", b"cross-site")],
    "a sub-domain": [(b"host", b"example.com"), (b"sec-fetch-site", b"same-site")],
    "two origins": [(b"origin", b"https://example.com"), (b"origin", b"https://example.com")],
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_no_other_site_refreshes_logs_in_or_logs_out(page, kind):
    token = pair_of(page.manager).refresh_token
    refused = [
        page.refresh(token, headers=FOREIGN[kind]),
        page.log_out(token, headers=FOREIGN[kind]),
        post(page.tokens, PASSWORD, headers=FOREIGN[kind]),
    ]
    for answer in refused:
        assert said(answer) == (403, "cross_origin_request")
        assert answer.header("vary") == "Origin, Sec-Fetch-Site"
        assert answer.all("set-cookie") == []
    assert parts(set_by(page.refresh(token))[0])[1]["gen"] == 2


def test_a_trusted_origin_may():
    page = Page(trusted_origins=["https://app.example"], samesite="none", partitioned=True)
    headers = [(b"host", b"example.com"), (b"origin", b"https://app.example"), (b"sec-fetch-site", b"cross-site")]
    answer = page.refresh(pair_of(page.manager).refresh_token, headers=headers)
    assert answer.status == 200
    assert {"SameSite=None", "Partitioned"} <= set(set_by(answer)[1])


def test_a_logout_ends_the_login_and_deletes_the_cookie(page):
    token = pair_of(page.manager).refresh_token
    answer = page.log_out(token)
    assert (answer.status, answer.body) == (200, b"")
    assert is_deleted(answer)
    assert said(page.refresh(token)) == (400, "invalid_grant")


def test_a_logout_without_a_cookie_is_done(page):
    answer = post(page.revoke, path="/auth/revoke", headers=OURS)
    assert answer.status == 200
    assert is_deleted(answer)


def test_a_token_in_the_form_is_ended_and_the_cookie_stays(page):
    pair = pair_of(page.manager)
    answer = page.log_out(pair.refresh_token, {"token": pair.access_token})
    assert (answer.status, answer.all("set-cookie")) == (200, [])
    assert page.refresh(pair.refresh_token).status == 200


def test_a_logout_that_the_store_does_not_hear_of_says_so_and_deletes_the_cookie():
    store = DownStore()
    page = Page(issuing(store=store))
    token = pair_of(page.manager).refresh_token
    store.is_down = True
    answer = page.log_out(token)
    assert said(answer) == (503, "temporarily_unavailable")
    assert is_deleted(answer)


def test_a_view_of_the_applications_own_sets_and_deletes_it():
    cookie, response = RefreshCookie(), FastAPIResponse()
    manager = issuing(clock=time.time)
    cookie.set_cookie(response, pair_of(manager).refresh_token)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["set-cookie"].startswith(f"{NAME}=ey")
    assert "; Max-Age=12959" in response.headers["set-cookie"] or "; Max-Age=1296000" in response.headers["set-cookie"]
    cookie.delete_cookie(response)
    assert response.headers.getlist("set-cookie") == [
        f"{NAME}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/auth; Secure; HttpOnly; SameSite=Strict"
    ]


def test_for_development_it_travels_over_plain_http():
    cookie = RefreshCookie.insecure_for_development(samesite="lax")
    manager = issuing()
    answer = post(TokenEndpoint(manager, password=check, cookie=cookie), PASSWORD, scheme="http")
    _, attributes = set_by(answer, "refresh-token")
    assert "Secure" not in attributes
    assert {"HttpOnly", "SameSite=Lax", "Path=/auth"} <= set(attributes)


def test_over_plain_http_the_log_says_why_the_cookie_is_dropped(page, caplog):
    headers = [(b"host", b"example.com"), (b"origin", b"http://example.com")]
    assert page.refresh("nonsense", headers=headers, scheme="http").status == 400
    assert "insecure_for_development" not in caplog.text
    assert page.refresh(pair_of(page.manager).refresh_token, headers=headers, scheme="http").status == 200
    [warning] = [one for one in caplog.records if "insecure_for_development" in one.getMessage()]
    assert warning.levelno == logging.WARNING


def test_a_cookie_that_is_kept_until_the_browser_is_closed():
    page = Page(max_age=None)
    assert not any(one.startswith(("Max-Age", "Expires")) for one in set_by(page.log_in())[1])


@pytest.mark.parametrize(
    ("cookie_path", "path"),
    [
        ("/auth", "/auth/token"),
        ("/auth/", "/auth/token"),
        ("/auth/token", "/auth/token"),
        ("/api/auth", "/auth/token"),
        ("/v1/api/auth", "/auth/token"),
        ("/", "/auth/token"),
        ("/oauth", "/oauth/spa/token"),
    ],
)
def test_a_path_that_browsers_send_the_cookie_to_is_taken(cookie_path, path):
    TokenEndpoint(issuing(), path, cookie=RefreshCookie(path=cookie_path))


@pytest.mark.parametrize(
    ("cookie_path", "path"), [("/auth", "/token"), ("/auth", "/authority/token"), ("/auth/token", "/auth/revoke")]
)
def test_a_path_that_browsers_would_not_send_the_cookie_to_is_refused(cookie_path, path):
    with pytest.raises(ValueError, match="browsers would not send the cookie"):
        TokenEndpoint(issuing(), path, cookie=RefreshCookie(path=cookie_path))


def test_the_prefix_of_a_host_needs_the_path_of_everything():
    with pytest.raises(ValueError, match="use the prefix __Secure- instead"):
        RefreshCookie("__Host-refresh-token")
    assert RefreshCookie("__Host-refresh-token", path="/").cookie_name == "__Host-refresh-token"


def test_what_could_never_work_is_refused():
    with pytest.raises(ValueError, match="is for refresh tokens"):
        TokenEndpoint(make_manager(), password=check, cookie=RefreshCookie())
    with pytest.raises(TypeError, match=r"cookie is a RefreshCookie\(\)"):
        TokenEndpoint(issuing(), cookie=True)
    with pytest.raises(ValueError, match="samesite"):
        RefreshCookie(samesite="sometimes")
    with pytest.raises(AttributeError, match="pass path= to RefreshCookie"):
        RefreshCookie().path = "/x"


def test_a_page_that_has_forgotten_its_client_id_keeps_the_cookie_and_may_try_again():
    manager = issuing()
    endpoint = TokenEndpoint(manager, cookie=RefreshCookie())
    token = pair_of(manager, client_id="shop").refresh_token
    refused = post(endpoint, headers=[carrying(token), *OURS])
    assert said(refused) == (400, "invalid_grant")
    assert refused.all("set-cookie") == []
    assert post(endpoint, {"client_id": "shop"}, headers=[carrying(token), *OURS]).status == 400
    form = {"client_id": "shop", "grant_type": "refresh_token"}
    assert post(endpoint, form, headers=[carrying(token), *OURS]).status == 200


def test_a_clock_that_is_behind_is_no_reason_to_drop_the_cookie():
    clock = Clock()
    ahead = issuing(clock=clock)
    token = pair_of(ahead).refresh_token
    clock.now -= 2
    answer = post(TokenEndpoint(ahead, cookie=RefreshCookie()), headers=[carrying(token), *OURS])
    assert (said(answer), answer.header("retry-after")) == ((503, "temporarily_unavailable"), "1")
    assert answer.all("set-cookie") == []
    clock.now += 2
    assert post(TokenEndpoint(ahead, cookie=RefreshCookie()), headers=[carrying(token), *OURS]).status == 200

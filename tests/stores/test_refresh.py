"""Refresh tokens of a manager: what a client gets for one, on MemoryStore, Redis and Valkey."""

import logging
import time
from datetime import timedelta

import anyio
import pytest
from helpers import (
    NOW,
    OTHER_SECRET,
    SECRET,
    bearer,
    hello,
    hs256,
    http_scope,
    make_manager,
    parts,
    send_request,
)
from helpers import Clock as Hands
from stores.asking import following, until

from asgi_login import (
    AuthMiddleware,
    BearerTransport,
    CookieTransport,
    InsufficientScope,
    InvalidToken,
    LoginManager,
    MemoryStore,
    Refresh,
    Sessions,
    TokenPair,
)
from asgi_login.refresh import issue_pair, refresh_pair

SCOPE = http_scope("POST", "/auth/token")


class Clock:
    """The time of day, and a little more."""

    def __init__(self):
        self.ahead = 0.0

    def __call__(self):
        return time.time() + self.ahead


class Site:
    """A manager on the store of a place, with users who can be deleted and a database that can be down."""

    def __init__(self, place, *, refresh=None, secret=SECRET, store=None, **settings):
        self.users = {"ada": "hash", "bob": "hash"}
        self.loads, self.is_down, self.clock = [], False, Clock()
        # A busy machine may be slow; what is told matters here.
        store = place.make_store(timeout=timedelta(seconds=5)) if store is None else store
        settings.setdefault("transports", [BearerTransport(), CookieTransport()])
        self.manager = LoginManager(
            secret, store=store, refresh=refresh or Refresh(), name=place.name, clock=self.clock, **settings
        )
        self.manager.user_loader(self._load)

    async def _load(self, sub):
        self.loads.append(sub)
        if self.is_down:
            raise LookupError("the database is down")
        return self.users.get(sub)

    async def pair(self, sub="ada", **more):
        return await self.manager.issue_tokens(sub, **more)

    async def refresh(self, token, *, scopes=None, client_id=None):
        return await refresh_pair(self.manager.config, token, scopes=scopes, client_id=client_id, scope=SCOPE)

    async def refused(self, token, **more):
        """Return why a refresh token is refused."""
        with pytest.raises(InvalidToken) as caught:
            await self.refresh(token, **more)
        return caught.value.reason

    async def lets_in(self, access_token):
        """Tell whether a request with this access token has a user."""
        config = self.manager.config
        token = config.tokens.verify(access_token.encode())
        if config.revocation.clears(token):
            return True
        try:
            await config.revocation.judge(token)
        except InvalidToken:
            return False
        return True


def claims_of(token):
    return parts(token)[1]


def test_a_pair_is_an_access_token_and_a_refresh_token_of_one_login(place):
    async def main():
        site = Site(place)
        pair = await site.pair(scopes=["b", "a"], client_id="app")
        assert isinstance(pair, TokenPair)
        assert (pair.expires_in, pair.scope) == (900, "b a")
        (header, access), (refresh_header, refresh) = parts(pair.access_token), parts(pair.refresh_token)
        assert (header["typ"], refresh_header["typ"]) == ("at+jwt", "refresh+jwt")
        common = {"sub", "sid", "mgr", "auth_time", "scope", "client_id", "iat", "exp", "jti"}
        assert (access.keys(), refresh.keys()) == (common, common | {"gen"})
        same = common - {"exp", "jti"}
        assert {name: access[name] for name in same} == {name: refresh[name] for name in same}
        assert (refresh["gen"], access["mgr"], access["client_id"]) == (1, place.name, "app")
        assert access["exp"] - access["iat"] == 900
        assert refresh["exp"] - refresh["iat"] == 15 * 86_400
        assert await site.lets_in(pair.access_token)

    place.run(main)


def test_a_pair_without_scopes_grants_none(place):
    async def main():
        site = Site(place)
        pair = await site.pair()
        assert pair.scope == ""
        assert "scope" not in claims_of(pair.access_token) | claims_of(pair.refresh_token)
        assert (await site.refresh(pair.refresh_token)).scope == ""

    place.run(main)


def test_a_refresh_brings_a_new_pair_of_the_same_login(place):
    async def main():
        site = Site(place)
        first = await site.pair(scopes=["read"])
        site.clock.ahead = 60
        second = await site.refresh(first.refresh_token)
        third = await site.refresh(second.refresh_token)
        for before, after in ((first, second), (second, third)):
            old, new = claims_of(before.refresh_token), claims_of(after.refresh_token)
            assert new["gen"] == old["gen"] + 1
            same = ("sub", "sid", "auth_time", "scope")
            assert [new[name] for name in same] == [old[name] for name in same]
            assert claims_of(after.access_token)["sid"] == new["sid"]
            assert new["jti"] != old["jti"]
        assert claims_of(second.refresh_token)["iat"] >= claims_of(first.refresh_token)["iat"] + 59
        assert third.scope == "read"
        assert await site.lets_in(third.access_token)
        assert site.loads == ["ada", "ada"]

    place.run(main)


def test_a_lost_answer_and_two_refreshes_at_once_log_nobody_out(place):
    async def main():
        site = Site(place)
        first = await site.pair()
        one, other = await site.refresh(first.refresh_token), await site.refresh(first.refresh_token)
        assert [claims_of(pair.refresh_token)["gen"] for pair in (one, other)] == [2, 2]
        assert one.refresh_token != other.refresh_token
        await site.refresh(one.refresh_token)
        await site.refresh(other.refresh_token)

    place.run(main)


def test_a_refresh_token_that_is_used_again_ends_its_login_and_is_told_to_the_log(place, caplog):
    async def main():
        site, elsewhere = Site(place), Site(place)
        await following(elsewhere.manager.config.revocation)
        first, other = await site.pair(), await site.pair()
        second = await site.refresh(first.refresh_token)
        third = await site.refresh(second.refresh_token)
        assert await site.refused(first.refresh_token) == "the token was used before, and its login is ended"
        for dead in (first, second, third):
            assert not await site.lets_in(dead.access_token)
            assert "ended" in await site.refused(dead.refresh_token)
        access = elsewhere.manager.config.tokens.verify(third.access_token.encode())
        await until(lambda: elsewhere.manager.config.revocation.ends(access))
        assert await site.lets_in(other.access_token)
        await site.refresh(other.refresh_token)
        [warning] = [one for one in caplog.records if "was used again" in one.message]
        assert warning.levelno == logging.WARNING
        assert "POST '/auth/token'" in warning.message
        for token in (first.refresh_token, second.refresh_token):
            assert token not in caplog.text

    place.run(main)


def test_without_a_window_any_second_use_ends_the_login(place):
    async def main():
        site = Site(place, refresh=Refresh(reuse_window=timedelta(0)))
        first = await site.pair()
        second = await site.refresh(first.refresh_token)
        await site.refused(first.refresh_token)
        await site.refused(second.refresh_token)

    place.run(main)


def test_a_rotation_that_the_store_has_lost_is_taken_up_with_a_warning(place, caplog):
    async def main():
        site = Site(place)
        first = await site.pair()
        sid = claims_of(first.refresh_token)["sid"]
        second = await site.refresh(first.refresh_token)
        third = await site.refresh(second.refresh_token)
        # As after a failover to a replica that had none of it.
        await site.manager.config.revocation.start_family(sid, "ada", idle=86_400, lifetime=86_400)
        fourth = await site.refresh(third.refresh_token)
        assert claims_of(fourth.refresh_token)["gen"] == 4
        await site.refused(first.refresh_token)
        assert [one.levelno for one in caplog.records if "newer than the store knows" in one.message] == [
            logging.WARNING
        ]

    place.run(main)


async def state_of(site, pair):
    """Tell whether the access token of a pair and its refresh token are good."""
    access = await site.lets_in(pair.access_token)
    try:
        await site.refresh(pair.refresh_token)
    except InvalidToken:
        return access, False
    return access, True


async def log_out(site, pair, **how):
    """Log the sender of the access token out, in a request."""

    async def page(scope, receive, send):
        site.manager.logout_user(scope, **how)
        await hello(scope, receive, send)

    headers = [bearer(pair.access_token), (b"host", b"example.com"), (b"origin", b"https://example.com")]
    answer = await send_request(AuthMiddleware(page, site.manager), http_scope("POST", headers=headers))
    assert answer.status == 200


ENDINGS = {
    "the session": lambda site, _, pair: site.manager.revoke_session(claims_of(pair.access_token)["sid"]),
    "the refresh token": lambda site, _, pair: site.manager.revoke_token(pair.refresh_token),
    "the refresh token before": lambda site, first, _: site.manager.revoke_token(first.refresh_token),
    "a logout": lambda site, _, pair: log_out(site, pair),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ends_a_login_ends_its_refresh_token_and_its_access_tokens(place, ending):
    async def main():
        site, elsewhere = Site(place), Site(place)
        first, other = await site.pair(), await site.pair()
        second = await site.refresh(first.refresh_token)
        await ENDINGS[ending](site, first, second)
        for process in (elsewhere, site):
            assert await state_of(process, first) == (False, False)
            assert await state_of(process, second) == (False, False)
        assert await state_of(elsewhere, other) == (True, True)

    place.run(main)


@pytest.mark.parametrize("ending", ["revoke", "keep", "logout"])
def test_a_logout_everywhere_ends_every_login_of_the_user_but_the_kept_one(place, ending):
    async def main():
        site, elsewhere = Site(place), Site(place)
        mine, other, bobs = await site.pair(), await site.pair(), await site.pair("bob")
        if ending == "revoke":
            await site.manager.revoke_user("ada")
        elif ending == "logout":
            await log_out(site, mine, everywhere=True)
        else:
            scope = http_scope(headers=[bearer(mine.access_token)])
            await send_request(AuthMiddleware(hello, site.manager), scope)
            await site.manager.revoke_user("ada", keep=scope)
        is_kept = ending == "keep"
        assert await state_of(elsewhere, mine) == (is_kept, is_kept)
        assert await state_of(elsewhere, other) == (False, False)
        assert await state_of(elsewhere, bobs) == (True, True)

    place.run(main)


def test_a_revoked_access_token_leaves_the_login_alone(place):
    async def main():
        site = Site(place)
        pair = await site.pair()
        await site.manager.revoke_token(pair.access_token)
        assert await state_of(site, pair) == (False, True)

    place.run(main)


def test_a_login_that_is_known_to_have_ended_is_refused_before_the_user_is_loaded(place):
    async def main():
        site = Site(place)
        pair = await site.pair()
        await site.manager.revoke_token(pair.refresh_token)
        assert await site.refused(pair.refresh_token) == "the login was ended"
        assert site.loads == []

    place.run(main)


def test_a_login_after_a_logout_everywhere_lives_at_once_in_every_process(place):
    async def main():
        site, elsewhere = Site(place, leeway=timedelta(seconds=5)), Site(place, leeway=timedelta(seconds=5))
        await site.manager.revoke_user("ada")
        pair = await elsewhere.pair()
        assert claims_of(pair.access_token)["rev"] == claims_of(pair.refresh_token)["rev"]
        again = await site.refresh(pair.refresh_token)
        for process in (site, elsewhere):
            for one in (pair, again):
                assert await process.lets_in(one.access_token)

    place.run(main)


def test_an_access_token_of_a_login_before_a_logout_everywhere_is_ended_however_late_it_was_issued(place):
    async def main():
        site, elsewhere = Site(place), Site(place)
        pair = await site.pair()
        site.clock.ahead = elsewhere.clock.ahead = 30
        late = await site.refresh(pair.refresh_token)
        await site.manager.revoke_user("ada")
        for process in (site, elsewhere):
            assert not await process.lets_in(late.access_token)

    place.run(main)


def test_an_expired_refresh_token_can_be_revoked_and_is_no_longer_good(place):
    async def main():
        site = Site(place)
        pair = await site.pair()
        site.clock.ahead = 15 * 86_400
        assert await site.refused(pair.refresh_token) == "exp: expired"
        await site.manager.revoke_token(pair.refresh_token)
        site.clock.ahead = 0
        assert "ended" in await site.refused(pair.refresh_token)

    place.run(main)


def test_no_token_of_a_login_is_said_to_live_beyond_its_end(place):
    async def main():
        site = Site(place, refresh=Refresh(idle=timedelta(seconds=100), lifetime=timedelta(seconds=100)))
        first = await site.pair()
        assert first.expires_in == 100
        second = await site.refresh(first.refresh_token)
        assert 80 <= second.expires_in <= 100
        refresh = claims_of(second.refresh_token)
        assert refresh["exp"] - refresh["iat"] == second.expires_in

    place.run(main)


def test_an_access_token_may_have_less_scope_and_the_refresh_token_keeps_all(place):
    async def main():
        site = Site(place)
        pair = await site.pair(scopes=["a", "b", "c"])
        narrow = await site.refresh(pair.refresh_token, scopes=["c", "a", "c"])
        assert (narrow.scope, claims_of(narrow.access_token)["scope"]) == ("c a", "c a")
        assert claims_of(narrow.refresh_token)["scope"] == "a b c"
        none = await site.refresh(narrow.refresh_token, scopes=[])
        assert (none.scope, "scope" in claims_of(none.access_token)) == ("", False)
        assert (await site.refresh(none.refresh_token)).scope == "a b c"

    place.run(main)


@pytest.mark.parametrize("scopes", [["a", "d"], ["d"], ["a b"], ['"'], [""]])
def test_more_scope_than_the_login_has_is_refused_and_uses_nothing_up(place, scopes):
    async def main():
        site = Site(place)
        pair = await site.pair(scopes=["a", "b"])
        with pytest.raises(InsufficientScope):
            await site.refresh(pair.refresh_token, scopes=scopes)
        assert site.loads == []
        assert claims_of((await site.refresh(pair.refresh_token)).refresh_token)["gen"] == 2

    place.run(main)


def test_a_token_of_one_client_is_no_good_to_another(place):
    async def main():
        site = Site(place)
        bound, free = await site.pair(client_id="app"), await site.pair()
        for client in ("other", None, ""):
            assert await site.refused(bound.refresh_token, client_id=client) == "client_id: another client's"
        again = await site.refresh(bound.refresh_token, client_id="app")
        assert claims_of(again.refresh_token)["client_id"] == "app"
        await site.refresh(free.refresh_token, client_id="app")

    place.run(main)


def test_a_database_that_is_down_does_not_use_the_token_up(place):
    async def main():
        site = Site(place, refresh=Refresh(reuse_window=timedelta(0)))
        pair = await site.pair()
        site.is_down = True
        for _ in range(3):
            with pytest.raises(LookupError, match="the database is down"):
                await site.refresh(pair.refresh_token)
        site.is_down = False
        assert claims_of((await site.refresh(pair.refresh_token)).refresh_token)["gen"] == 2

    place.run(main)


def test_a_user_who_is_gone_cannot_refresh_nor_after_coming_back(place):
    async def main():
        site = Site(place)
        pair = await site.pair()
        del site.users["ada"]
        assert await site.refused(pair.refresh_token) == "no such user"
        site.users["ada"] = "hash"
        assert "ended" in await site.refused(pair.refresh_token)

    place.run(main)


def test_a_changed_stamp_ends_the_refresh_token_and_an_unchanged_one_does_not(place):
    async def main():
        site = Site(place, sessions=Sessions(stamp=lambda user: user))
        pair = await site.pair(user="hash")
        assert len(claims_of(pair.refresh_token)["stamp"]) == 22
        assert "stamp" not in claims_of(pair.access_token)
        pair = await site.refresh(pair.refresh_token)
        site.users["ada"] = "new"
        assert await site.refused(pair.refresh_token) == "the user's stamp has changed"
        site.users["ada"] = "hash"
        assert "ended" in await site.refused(pair.refresh_token)
        with pytest.raises(TypeError, match="the stamp needs the user"):
            await site.pair()

    place.run(main)


def test_a_login_goes_on_under_a_new_key(place):
    async def main():
        store = place.make_store(timeout=timedelta(seconds=5))
        stamp = Sessions(stamp=lambda user: user)
        old = Site(place, store=store, sessions=stamp)
        new = Site(place, store=store, sessions=stamp, secret=[OTHER_SECRET, SECRET])
        pair = await old.pair(user="hash")
        second = await new.refresh(pair.refresh_token)
        assert parts(second.refresh_token)[0]["kid"] != parts(pair.refresh_token)[0]["kid"]
        await new.refresh(second.refresh_token)
        assert "kid" in await old.refused(second.refresh_token)

    place.run(main)


def test_claims_of_the_application_stay_in_every_access_token(place):
    async def main():
        site = Site(place)
        config = site.manager.config
        own = {"tenant": ["t1", {"a": 1}]}
        pair = await issue_pair(config, "ada", scopes=["a"], user=None, client_id=None, claims=own)
        again = await site.refresh((await site.refresh(pair.refresh_token)).refresh_token)
        for one in (pair, again):
            assert claims_of(one.access_token)["tenant"] == own["tenant"]
        for name in ("sid", "gen", "mgr", "exp", "scope", "client_id"):
            with pytest.raises(ValueError, match=f"cannot set {name}"):
                await issue_pair(config, "ada", scopes=(), user=None, client_id=None, claims={name: 1})

    place.run(main)


def of_a_manager(**changes):
    """Return claims of a refresh token that is in order, with changes; `...` leaves one out."""
    now = int(time.time())
    good = {"sub": "ada", "sid": "s", "gen": 1, "mgr": "default", "auth_time": now, "iat": now, "exp": now + 60}
    return {name: value for name, value in (good | changes).items() if value is not ...}


async def store_with_family(manager):
    await manager.config.revocation.start_family("s", "ada", idle=60, lifetime=60)


@pytest.fixture
def loaded():
    return []


@pytest.fixture
def manager(loaded):
    return make_manager(store=MemoryStore(), refresh=Refresh(), clock=time.time, loaded=loaded)


def refresh(manager, token, client_id=None):
    async def main():
        await store_with_family(manager)
        return await refresh_pair(manager.config, token, scopes=None, client_id=client_id, scope=SCOPE)

    return anyio.run(main)


REFRESH_HEADER = {"alg": "HS256", "typ": "refresh+jwt"}


def test_a_refresh_token_made_by_hand_is_taken(manager):
    assert refresh(manager, hs256(of_a_manager(), REFRESH_HEADER)).scope == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"mgr": "other"},
        {"mgr": ...},
        {"auth_time": ...},
        {"sid": ...},
        {"sid": 5},
        {"sid": ""},
        {"gen": ...},
        {"gen": 0},
        {"gen": -1},
        {"gen": 1.0},
        {"gen": True},
        {"gen": "1"},
        {"gen": 2**53},
        {"exp": 1},
        {"exp": ...},
        {"sub": ...},
        {"client_id": "app"},
        {"client_id": ["app"]},
        {"client_id": {"app": None}},
        {"client_id": None},
        {"cnf": {"jkt": "x"}},
        {"aud": "elsewhere"},
    ],
)
def test_a_refresh_token_that_is_not_in_order_is_refused_before_the_user_is_loaded(manager, loaded, changes):
    with pytest.raises(InvalidToken):
        refresh(manager, hs256(of_a_manager(**changes), REFRESH_HEADER))
    assert loaded == []


@pytest.mark.parametrize("typ", ["at+jwt", "session+jwt", "remember+jwt", "JWT", None])
def test_no_other_token_is_taken_for_a_refresh_token(manager, typ):
    header = {"alg": "HS256"} if typ is None else {"alg": "HS256", "typ": typ}
    with pytest.raises(InvalidToken):
        refresh(manager, hs256(of_a_manager(), header))


@pytest.mark.parametrize("token", ["", "é", "a.b.c", "x" * 20_000, "a\0b"])
def test_what_is_no_token_is_refused(manager, token):
    with pytest.raises(InvalidToken):
        refresh(manager, token)


def test_a_refresh_token_of_another_key_is_refused(manager):
    with pytest.raises(InvalidToken):
        refresh(manager, hs256(of_a_manager(), REFRESH_HEADER, OTHER_SECRET))


def test_the_pair_does_not_show_its_tokens():
    shown = repr(TokenPair("access", "refresh", 900, "read"))
    assert shown == "TokenPair(expires_in=900, scope='read')"


def test_what_a_pair_is_issued_for_is_checked(manager):
    async def main():
        for wrong in (7, "", None, "x" * 256):
            with pytest.raises(TypeError, match="sub is a non-empty str"):
                await manager.issue_tokens(wrong)
        with pytest.raises(TypeError, match="client_id is a non-empty str"):
            await manager.issue_tokens("ada", client_id="")
        with pytest.raises(ValueError, match="is no scope"):
            await manager.issue_tokens("ada", scopes=["a b"])
        with pytest.raises(TypeError, match="takes scopes one by one"):
            await manager.issue_tokens("ada", scopes="read")

    anyio.run(main)


def test_a_login_lives_for_idle_after_each_refresh_and_never_beyond_its_lifetime():
    clock = Hands()
    settings = Refresh(idle=timedelta(seconds=100), lifetime=timedelta(seconds=290))
    manager = make_manager(store=MemoryStore(), refresh=settings, clock=clock)

    async def main():
        first, pair = await manager.issue_tokens("ada"), await manager.issue_tokens("ada")
        for _ in range(2):
            clock.now += 99
            pair = await refresh_pair(manager.config, pair.refresh_token, scopes=None, client_id=None, scope=SCOPE)
        for old, age in ((first, 198), (pair, 290)):
            clock.now = NOW + age
            # Put off by hand: the store has an end of its own.
            late = hs256({**claims_of(old.refresh_token), "exp": NOW + 999}, REFRESH_HEADER)
            with pytest.raises(InvalidToken) as caught:
                await refresh_pair(manager.config, late, scopes=None, client_id=None, scope=SCOPE)
            assert caught.value.reason == "the login was ended, or was not used for too long"

    anyio.run(main)


def test_a_manager_without_refresh_tokens_says_so():
    manager = make_manager(store=MemoryStore())

    async def main():
        with pytest.raises(ValueError, match=r"needs LoginManager\(refresh=Refresh\(\), store="):
            await manager.issue_tokens("ada")
        with pytest.raises(ValueError, match=r"needs LoginManager\(refresh=Refresh\(\), store="):
            await refresh_pair(manager.config, "a.b.c", scopes=None, client_id=None, scope=SCOPE)

    anyio.run(main)

"""The cache of verified tokens: the same answers, sooner."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import MappingProxyType

import pytest
from browser_jar import REMEMBER, Browser
from helpers import COOKIE, NOW, OTHER_SECRET, SECRET, Clock, authenticate, bearer, claims, cookie, hs256, make_manager
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_login import InvalidToken
from asgi_login.tokens.cache import MAX_CACHED_BYTES, Cache
from asgi_login.tokens.verified import VerifiedToken

FAR = NOW + 365 * 86_400


def verified(i=0):
    return VerifiedToken(
        "at+jwt", "kid", str(i), MappingProxyType({"sub": str(i)}), frozenset(), FAR, None, None, None, 0
    )


def browser_tokens():
    manager = make_manager()
    browser = Browser.of(manager)
    browser.login(manager, remember=True)
    return browser.token(), browser.token(REMEMBER)


SESSION_TOKEN, REMEMBER_TOKEN = browser_tokens()
GOOD = hs256(claims(exp=NOW + 100))
TOKENS = [
    GOOD,
    hs256(claims(exp=NOW + 50, nbf=NOW + 20)),
    hs256(claims(exp=NOW + 50, iat=NOW + 10)),
    hs256(claims(exp=NOW + 50, auth_time=NOW + 15)),
    hs256(claims(exp=NOW + 30.5, sub="user1", scope="a b")),
    hs256(claims(exp=FAR, sub="nobody")),
    hs256(claims(exp=NOW)),
    hs256(claims(exp=NOW + 50), secret=OTHER_SECRET),
    hs256(claims(exp="never")),
    GOOD[:-4] + "AAAA",
    GOOD + "A",
    "garbage",
    SESSION_TOKEN,
    REMEMBER_TOKEN,
]


def answer(manager, slot, token):
    """Return everything that a request tells of its token."""
    header = bearer(token) if slot == "header" else cookie(token, slot)
    auth = authenticate(manager, header)
    error = auth.error and (type(auth.error), auth.error.description, auth.error.expired)
    # A restored session has random parts.
    said = {name: value for name, value in auth.claims.items() if name not in {"jti", "sid"}}
    return auth.user, auth.scopes, auth.fresh, auth.expires_at, said, error


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["header", COOKIE, REMEMBER]),
        st.sampled_from(TOKENS),
        st.sampled_from([-30, -1, 0, 0, 0.5, 1, 5, 10, 20, 60, 1000]),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(steps=STEPS, size=st.sampled_from([1, 2, 3, 8, 4096]), leeway=st.sampled_from([0, 5]))
def test_a_cached_manager_answers_like_one_without_a_cache(steps, size, leeway):
    clock = Clock()
    leeway = timedelta(seconds=leeway)
    cached, plain = (make_manager(clock=clock, leeway=leeway, token_cache_size=one) for one in (size, 0))
    for slot, token, tick in steps:
        clock.now += tick
        assert answer(cached, slot, token) == answer(plain, slot, token)


@pytest.mark.parametrize("slot", ["header", REMEMBER])
def test_a_token_of_the_wrong_kind_is_told_the_same_after_it_has_expired(slot):
    clock = Clock()
    cached, plain = make_manager(clock=clock), make_manager(clock=clock, token_cache_size=0)
    assert answer(cached, slot, SESSION_TOKEN) == answer(plain, slot, SESSION_TOKEN)
    clock.now += 86_400
    assert answer(cached, slot, SESSION_TOKEN) == answer(plain, slot, SESSION_TOKEN)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat", "auth_time"])
def test_times_are_looked_at_again_at_each_hit(claim):
    clock = Clock(NOW + 100)
    manager = make_manager(clock=clock)
    token = hs256(claims(**{"exp": FAR, claim: NOW + (200 if claim == "exp" else 50)}))
    assert authenticate(manager, bearer(token)).user == "ada"
    clock.now = NOW + 200 if claim == "exp" else NOW + 49
    assert isinstance(authenticate(manager, bearer(token)).error, InvalidToken)
    clock.now = NOW + 100
    assert authenticate(manager, bearer(token)).user == "ada"


def test_the_user_is_looked_up_at_each_hit():
    loaded, users = [], ["ada"]
    manager = make_manager(users=users, loaded=loaded)
    assert authenticate(manager, bearer(GOOD)).user == "ada"
    users.clear()
    assert authenticate(manager, bearer(GOOD)).user is None
    assert loaded == ["ada", "ada"]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 64])
def test_a_cache_keeps_no_more_tokens_than_it_was_made_for(size):
    cache = Cache(size)
    for i in range(3 * size):
        cache.put(b"%d" % i, verified(i))
        cache.get(b"%d" % (i // 2))
        assert len({*cache._young, *cache._old}) <= size


@pytest.mark.parametrize("size", [4, 8, 64])
def test_a_token_in_use_stays_while_others_pass_through(size):
    cache = Cache(size)
    cache.put(b"mine", verified())
    for i in range(20 * size):
        cache.put(b"%d" % i, verified(i))
        assert i % (size // 4) or cache.get(b"mine") is not None
    assert cache.get(b"0") is None


def test_a_cache_of_size_0_keeps_nothing():
    cache = Cache(0)
    cache.put(b"0", verified())
    assert cache.get(b"0") is None


@pytest.mark.parametrize("size", [-1, 1.5, True, "4096", None])
def test_a_size_that_is_no_whole_number_is_refused(size):
    with pytest.raises(ValueError, match="token_cache_size"):
        make_manager(token_cache_size=size)


@pytest.mark.parametrize(("length", "is_kept"), [(MAX_CACHED_BYTES, True), (MAX_CACHED_BYTES + 1, False)])
def test_what_is_longer_than_4_kib_never_enters(length, is_kept):
    cache = Cache(8)
    cache.put(b"a" * length, verified())
    assert (cache.get(b"a" * length) is not None) is is_kept
    assert MAX_CACHED_BYTES == 4_096


def test_a_long_token_is_still_good():
    manager = make_manager()
    token = manager.create_access_token(data={"sub": "ada", "pad": ["a" * 200] * 25})
    assert len(token) > MAX_CACHED_BYTES
    assert [authenticate(manager, bearer(token)).user for _ in range(3)] == ["ada"] * 3
    assert cached_tokens(manager) == set()


def cached_tokens(manager):
    cache = manager.config.tokens._cache
    return {*cache._young, *cache._old}


def test_only_what_was_verified_enters():
    manager = make_manager()
    for token in TOKENS:
        authenticate(manager, bearer(token))
    now_good = [TOKENS[0], TOKENS[4], TOKENS[5], SESSION_TOKEN, REMEMBER_TOKEN]
    assert cached_tokens(manager) <= {token.encode() for token in now_good}
    assert TOKENS[0].encode() in cached_tokens(manager)


def test_forged_tokens_push_out_no_good_one():
    manager = make_manager(token_cache_size=2)
    authenticate(manager, bearer(GOOD))
    for i in range(50):
        authenticate(manager, bearer(hs256(claims(jti=f"forged-{i}"), secret=OTHER_SECRET)))
    assert cached_tokens(manager) == {GOOD.encode()}


def test_a_second_spelling_of_a_cached_token_is_refused_like_before():
    manager = make_manager()
    authenticate(manager, bearer(GOOD))
    for spelling in (GOOD + "=", GOOD + "A", GOOD[:-1], GOOD.replace(".", "..", 1)):
        assert isinstance(authenticate(manager, bearer(spelling)).error, InvalidToken)


def test_a_manager_with_another_key_knows_nothing_of_it():
    assert authenticate(make_manager(SECRET), bearer(GOOD)).user == "ada"
    assert authenticate(make_manager(OTHER_SECRET), bearer(GOOD)).user is None


def test_the_claims_of_a_cached_token_cannot_be_changed():
    manager = make_manager()
    token = hs256(claims(roles=["a", {"b": ["c"]}], more={"d": {"e": 1}}))
    before = authenticate(manager, bearer(token)).claims
    with pytest.raises(TypeError):
        before["sub"] = "root"
    with pytest.raises(TypeError):
        before["roles"][1]["b"] = ()
    with pytest.raises(TypeError):
        before["more"]["d"]["e"] = 2
    with pytest.raises(AttributeError):
        before["roles"].append("root")
    with pytest.raises(AttributeError):
        before["roles"][1]["b"].append("root")
    with pytest.raises(AttributeError):
        before.clear()
    assert authenticate(manager, bearer(token)).claims == before


@pytest.mark.parametrize("size", [0, 1, 2, 16, 4096])
def test_threads_at_one_cache_never_see_anothers_token(size):
    manager = make_manager(users=None, token_cache_size=size)
    tokens = {f"user-{i}": hs256(claims(sub=f"user-{i}", exp=FAR)) for i in range(40)}

    def visit(start):
        names = list(tokens)
        order = [names[(start * 7 + i * (start + 1)) % len(names)] for i in range(150)]
        return all(authenticate(manager, bearer(tokens[name])).user == name for name in order)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(visit, range(8)))
    # A thread that was interrupted between two steps may add one each.
    assert len(cached_tokens(manager)) <= size + 8 + 1


def test_a_flood_of_tokens_costs_each_the_same():
    cache = Cache(1 << 14)
    tokens = [b"%d" % i for i in range(1 << 17)]
    value = verified()
    started = time.perf_counter()
    for token in tokens:
        cache.put(token, value)
    assert (time.perf_counter() - started) / len(tokens) < 20e-6

"""When keys count and when they are fetched, row by row."""

import json
import random
from datetime import timedelta

import anyio
import httpx
import pytest
from helpers import b64, claims, ec_pem, ed25519_pem, hs256, other_rsa_pem, protected, rsa_pem
from issuers.providers import AUDIENCE, KEYS_URL, URL, Provider, jwk, manager_of, settled, status, timed, token

from asgi_login.issuers.key_source import KeySource, Plan, Timing

pytestmark = pytest.mark.anyio

DOWN = httpx.ConnectError("down")


class Case:
    """A provider, its Issuer on a clock that stands still, and an application behind a gate."""

    def __init__(self, keys=None, **settings):
        self.provider = Provider(keys)
        self.issuer = self.provider.issuer(**settings)
        self.time = timed(self.issuer)
        self.app = protected(manager_of(self.issuer))

    async def status(self, credential=None):
        return await status(self.app, credential or token())

    async def statuses(self, *credentials):
        """Send requests at once."""
        found = {}

        async def send(position, credential):
            found[position] = await self.status(credential)

        async with anyio.create_task_group() as tasks:
            for position, credential in enumerate(credentials):
                tasks.start_soon(send, position, credential)
        return [found[position] for position in range(len(credentials))]

    def goes_down(self):
        self.provider.answers[KEYS_URL] = DOWN

    def comes_back(self):
        del self.provider.answers[KEYS_URL]


class TestFresh:
    @pytest.mark.parametrize(("chance", "minutes"), [(0.0, 8.9), (0.5, 9.9), (1.0, 10.9)])
    async def test_keys_younger_than_refresh_every_are_not_fetched(self, chance, minutes):
        case = Case()
        case.issuer._source._random = lambda: chance
        assert await case.status() == 200
        case.time.passes(minutes=minutes)
        assert await case.status() == 200
        await settled(case.issuer)
        assert case.provider.fetches == 1

    async def test_nothing_is_fetched_before_the_first_token(self):
        case = Case()
        assert await status(case.app, hs256()) == 401
        assert case.provider.asked == []


class TestStale:
    @pytest.mark.parametrize(("chance", "minutes"), [(0.0, 9.1), (0.5, 10.1), (1.0, 11.1)])
    async def test_a_known_kid_counts_and_the_keys_are_fetched_behind_it(self, chance, minutes):
        case = Case()
        case.issuer._source._random = lambda: chance
        await case.status()
        case.time.passes(minutes=minutes)
        # Also for tokens that are in the cache.
        assert await case.statuses(token(), token(jti="other")) == [200, 200]
        await settled(case.issuer)
        assert case.provider.fetches == 2

    async def test_nobody_waits_for_a_provider_that_hangs(self):
        case = Case()
        await case.status()
        released = anyio.Event()

        async def hang(request):
            await released.wait()
            return httpx.Response(500)

        case.issuer._provider._client = httpx.AsyncClient(transport=httpx.MockTransport(hang))
        case.time.passes(minutes=11)
        with anyio.fail_after(2):
            assert await case.statuses(*[token(jti=str(i)) for i in range(10)]) == [200] * 10
        assert case.issuer._flights.is_under_way()
        released.set()
        await settled(case.issuer)

    async def test_a_token_of_the_cache_starts_the_fetch_too(self):
        case = Case()
        await case.status()
        case.time.passes(hours=23)
        assert await case.status() == 200
        await settled(case.issuer)
        assert case.provider.fetches == 2

    async def test_while_the_provider_is_down_its_keys_count_for_keep_for(self):
        case = Case()
        await case.status()
        case.goes_down()
        case.time.passes(hours=23)
        for jti in ("a", "b"):
            assert await case.statuses(token(), token(jti=jti)) == [200, 200]
            await settled(case.issuer)
        case.time.passes(hours=2)
        assert await case.statuses(token(), token(jti="c")) == [503, 503]

    async def test_fetching_behind_is_retried_after_the_back_off_only(self):
        case = Case()
        await case.status()
        case.goes_down()
        case.time.passes(minutes=11)
        for pause, fetches in [(0, 2), (0.9, 2), (0.2, 3), (1.8, 3), (0.4, 4), (3.5, 4), (1, 5)]:
            case.time.passes(seconds=pause)
            assert await case.status() == 200
            await settled(case.issuer)
            assert case.provider.fetches == fetches

    async def test_a_success_starts_all_over(self):
        case = Case()
        await case.status()
        case.goes_down()
        case.time.passes(hours=23)
        await case.status()
        await settled(case.issuer)
        case.comes_back()
        case.time.passes(seconds=2)
        await case.status()
        await settled(case.issuer)
        case.goes_down()
        case.time.passes(hours=23)
        assert await case.status() == 200


class TestNone:
    async def test_a_thousand_requests_at_once_wait_for_one_fetch(self):
        case = Case()
        assert await case.statuses(*[token(jti=str(i % 7)) for i in range(1000)]) == [200] * 1000
        assert case.provider.fetches == 1

    async def test_they_all_get_503_if_it_fails(self):
        case = Case()
        case.goes_down()
        assert await case.statuses(*[token()] * 100) == [503] * 100
        assert case.provider.fetches == 1

    async def test_beyond_keep_for_requests_wait_as_at_the_beginning(self):
        case = Case()
        await case.status()
        case.time.passes(hours=25)
        assert await case.statuses(token(), token(jti="other"), token()) == [200] * 3
        assert case.provider.fetches == 2

    async def test_within_the_back_off_they_get_503_at_once(self):
        case = Case()
        case.goes_down()
        pauses = [1, 2, 4, 8, 16, 32, 60, 60, 60]
        for fetches, pause in enumerate(pauses, 1):
            assert await case.statuses(token(), token("unknown")) == [503, 503]
            case.time.passes(seconds=pause - 0.01)
            assert await case.status() == 503
            assert case.provider.fetches == fetches
            case.time.passes(seconds=0.02)
        case.comes_back()
        assert await case.status() == 200

    @pytest.mark.parametrize(("chance", "pause"), [(0.0, 0.9), (1.0, 1.1)])
    async def test_the_back_off_is_spread(self, chance, pause):
        case = Case()
        case.issuer._source._random = lambda: chance
        case.goes_down()
        await case.status()
        case.time.passes(seconds=pause - 0.01)
        await case.status()
        assert case.provider.fetches == 1
        case.time.passes(seconds=0.02)
        await case.status()
        assert case.provider.fetches == 2

    async def test_many_failures_do_not_overflow(self):
        source = KeySource(Timing(refresh_every=600, keep_for=86_400, cooldown=30), random.random)
        for now in range(0, 200_000, 100):
            assert source.plan("one", now) is Plan.FETCH
            source.failed(now)

    async def test_a_token_of_somebody_else_is_refused_all_the_same(self):
        case = Case()
        case.goes_down()
        assert await case.status(token(iss="https://other.example")) == 401
        assert case.provider.asked == []


class TestUnknownKid:
    async def test_one_that_has_been_found_meanwhile_is_not_looked_for(self):
        case = Case()
        await case.issuer.learn("one")
        case.time.passes(minutes=5)
        await case.issuer.learn("one")
        assert case.provider.fetches == 1

    async def test_it_is_looked_for_once_and_found(self):
        case = Case()
        await case.status()
        case.provider.keys = [jwk(), jwk(other_rsa_pem(), "two")]
        case.time.passes(seconds=31)
        assert await case.status(token("two", other_rsa_pem())) == 200
        assert case.provider.fetches == 2

    async def test_it_is_refused_within_the_cooldown(self):
        case = Case()
        await case.status()
        case.provider.keys = [jwk(), jwk(other_rsa_pem(), "two")]
        case.time.passes(seconds=29)
        assert await case.status(token("two", other_rsa_pem())) == 401
        assert case.provider.fetches == 1

    async def test_the_cooldown_counts_from_an_attempt_that_failed_too(self):
        case = Case()
        await case.status()
        case.goes_down()
        case.time.passes(seconds=31)
        assert await case.statuses(token("two"), token()) == [401, 200]
        case.time.passes(seconds=29)
        assert await case.status(token("two")) == 401
        assert case.provider.fetches == 2
        case.time.passes(seconds=2)
        assert await case.status(token("two")) == 401
        assert case.provider.fetches == 3

    @pytest.mark.parametrize("at_once", [True, False])
    async def test_a_flood_of_them_costs_one_fetch(self, at_once):
        case = Case()
        await case.status()
        case.time.passes(seconds=31)
        # Signing takes most of the time, and no signature of these is looked at.
        signature = token().rpartition(".")[2]
        flood = [f"{invented(i)}.{signature}" for i in range(1_000 if at_once else 10_000)]
        if at_once:
            found = await case.statuses(*flood)
        else:
            found = [await case.status(one) for one in flood]
        assert set(found) == {401}
        assert case.provider.fetches == 2

    async def test_one_that_comes_during_a_fetch_waits_for_it_within_the_cooldown_too(self):
        case = Case(refresh_every=timedelta(seconds=10))
        await case.status()
        case.provider.keys = [jwk(other_rsa_pem(), "two")]
        case.time.passes(seconds=12)
        # The first begins to fetch behind it; the second may not be told that nobody knows its key.
        assert await case.statuses(token(), token("two", other_rsa_pem())) == [200, 200]
        assert case.provider.fetches == 2

    async def test_a_token_without_kid_counts_if_the_issuer_has_one_key(self):
        case = Case()
        assert await case.status(token(...)) == 200
        case.provider.keys = [jwk(), jwk(other_rsa_pem(), "two")]
        case.time.passes(hours=25)
        assert await case.status(token()) == 200
        assert await case.status(token(..., jti="other")) == 401


def invented(number):
    header = {"alg": "RS256", "typ": "JWT", "kid": f"kid-{number}"}
    return f"{b64(json.dumps(header))}.{b64(json.dumps(claims(iss=URL, aud=AUDIENCE)))}"


class TestWithdrawn:
    @pytest.mark.parametrize(
        "keys",
        [
            lambda: [jwk(other_rsa_pem(), "two")],
            lambda: [jwk(other_rsa_pem(), "one")],
            lambda: [jwk(kid="one", alg="PS256")],
        ],
        ids=["another kid", "another key of that kid", "another algorithm"],
    )
    async def test_tokens_of_a_key_that_is_gone_are_refused_those_of_the_cache_too(self, keys):
        case = Case(algorithms=("RS256", "PS256"))
        assert await case.status() == 200
        case.provider.keys = keys()
        case.time.passes(minutes=11)
        assert await case.status() == 200
        await settled(case.issuer)
        assert await case.statuses(token(), token(jti="other")) == [401, 401]
        assert case.provider.fetches == 2

    async def test_a_key_that_comes_back_verifies_them_again(self):
        case = Case()
        for keys, expected in [([jwk()], 200), ([jwk(other_rsa_pem(), "two")], 401), ([jwk()], 200)]:
            case.provider.keys = keys
            case.time.passes(minutes=11)
            await case.status()
            await settled(case.issuer)
            assert [await case.status(), await case.status()] == [expected, expected]

    async def test_a_key_that_stays_goes_on_and_is_not_verified_again(self):
        case = Case()
        await case.status()
        key = case.issuer.find("one")
        case.provider.keys = [jwk(other_rsa_pem(), "two"), jwk()]
        case.time.passes(minutes=11)
        await case.status()
        await settled(case.issuer)
        assert case.issuer.find("one") is key
        assert await case.statuses(token(), token("two", other_rsa_pem())) == [200, 200]


class TestAlgorithms:
    @pytest.mark.parametrize(("kty", "make"), [("EC", ec_pem), ("OKP", ed25519_pem), ("RSA", rsa_pem)])
    async def test_keys_of_each_kind_become_keys_of_their_one_algorithm(self, kty, make):
        case = Case([jwk(make(), "one", kty)])
        await case.issuer.learn("one")
        assert case.issuer.find("one").key.algorithm == {"EC": "ES256", "OKP": "EdDSA", "RSA": "RS256"}[kty]

    async def test_a_token_does_not_choose_the_algorithm(self):
        case = Case()
        assert await case.status(token(header={"alg": "PS256"})) == 401
        assert await case.status(token(header={"alg": "HS256"})) == 401
        assert await case.status(token(header={"alg": "none"})) == 401

"""Issuer: an identity provider as an application names it. It puts together what decides and what fetches."""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import ClassVar, TypedDict, Unpack

import httpx
from anyio import fail_after

from asgi_login.errors import ServiceUnavailable
from asgi_login.issuers.discovery import check_issuer, check_jwks_uri
from asgi_login.issuers.fetch import FetchError
from asgi_login.issuers.flight import Flights
from asgi_login.issuers.key_source import KeySource, Plan, Timing
from asgi_login.issuers.provider import Provider
from asgi_login.jwks import ALGORITHMS, UnusableSetError
from asgi_login.tokens import ForeignKey, ForeignKeys, ForeignRules, Key, rules_of_issuer

_log = logging.getLogger("asgi_login")

_LONGEST = timedelta(days=365)


class IssuerSettings(TypedDict, total=False):
    """What Issuer takes beside its URL."""

    jwks_uri: str | None
    algorithms: Sequence[str]
    scopes_claim: str
    subject_claim: str
    audience_claim: str
    require: Mapping[str, object]
    refresh_every: timedelta
    keep_for: timedelta
    cooldown: timedelta
    timeout: timedelta
    client: httpx.AsyncClient | None
    access_token_types: Sequence[str] | None


class Issuer(ForeignKeys):
    """Accepts the tokens of an identity provider, whose keys are fetched and kept up to date.

    Args:
        url: The issuer: what stands in `iss`, byte for byte.
        jwks_uri: Where its keys are; None to find that out by discovery.
        algorithms: What its keys may be used for. A key that does not say gets the first that fits it.
        scopes_claim: The claim that holds the scopes, as one text or a list; with dots, the way to it through objects.
        subject_claim: The claim by which the user loader finds the user.
        audience_claim: The claim that must hold the manager's audience.
        require: Claims that must have a certain value, equal by type and value.
        refresh_every: How old keys become before they are fetched anew; nobody waits for that.
        keep_for: How long keys count while the issuer cannot be reached.
        cooldown: How long an unknown `kid` is refused after the last fetch before it causes another.
        timeout: How long a fetch may take, with discovery.
        client: An httpx.AsyncClient of the application's own, such as for a proxy or a private authority; it belongs to
            the event loop that uses it.
        access_token_types: The `typ` of its access tokens, like ("at+jwt",) for an issuer that follows RFC 9068; None
            for "at+jwt", "JWT" or none at all.

    Raises:
        ValueError, TypeError: A setting that would be unsafe or would never work, with what to write instead.

    Works on asyncio and trio. Several managers may share one.

    Example:
        >>> manager = LoginManager(Issuer("https://login.example.com"), audience="https://api.example.com")
    """

    __slots__ = ("_flights", "_monotonic", "_provider", "_rules", "_source", "_timeout", "_url", "_why")

    # Plain http is good enough on this machine.
    _insecure: ClassVar[bool] = False

    def __init__(
        self,
        url: str,
        *,
        jwks_uri: str | None = None,
        algorithms: Sequence[str] = ("RS256", "ES256", "EdDSA"),
        scopes_claim: str = "scope",
        subject_claim: str = "sub",
        audience_claim: str = "aud",
        require: Mapping[str, object] = MappingProxyType({}),
        refresh_every: timedelta = timedelta(minutes=10),
        keep_for: timedelta = timedelta(hours=24),
        cooldown: timedelta = timedelta(seconds=30),
        timeout: timedelta = timedelta(seconds=5),
        client: httpx.AsyncClient | None = None,
        access_token_types: Sequence[str] | None = None,
    ) -> None:
        check_issuer(url, insecure=self._insecure)
        if jwks_uri is not None:
            check_jwks_uri(jwks_uri, insecure=self._insecure)
        if client is not None and not isinstance(client, httpx.AsyncClient):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"client is an httpx.AsyncClient or None, not {type(client).__name__}")
        self._url = url
        self._rules = rules_of_issuer(
            scopes_claim=scopes_claim,
            subject_claim=subject_claim,
            audience_claim=audience_claim,
            require=require,
            access_token_types=access_token_types,
        )
        timing = Timing(
            refresh_every=_seconds("refresh_every", refresh_every),
            keep_for=_seconds("keep_for", keep_for),
            cooldown=_seconds("cooldown", cooldown),
        )
        if refresh_every > keep_for:
            raise ValueError("refresh_every must not be longer than keep_for")
        self._timeout = _seconds("timeout", timeout)
        self._provider = Provider(url, jwks_uri, _checked(algorithms), client, insecure=self._insecure)
        self._source = KeySource(timing, random.random)
        self._flights = Flights(self._fetch)
        self._monotonic: Callable[[], float] = time.monotonic
        self._why = "they were not fetched yet"

    @classmethod
    def insecure_for_development(cls, url: str, **same: Unpack[IssuerSettings]) -> "Issuer":
        """Return an Issuer that may also be reached over plain http, for one on this machine; arguments as above.

        Raises:
            ValueError: With plain http, the host is neither `localhost` nor a loopback address.
        """
        return _InsecureIssuer(url, **same)

    @property
    def url(self) -> str:
        """The issuer."""
        return self._url

    @property
    def rules(self) -> ForeignRules:
        """What its tokens must claim."""
        return self._rules

    def find(self, kid: str | None) -> ForeignKey | None:
        """Return the key that counts now under a `kid`, or None; without a `kid`, the only key there is."""
        now = self._monotonic()
        if now >= self._source.due_at:
            self._flights.begin()
        return self._source.find(kid, now)

    async def learn(self, kid: str | None) -> None:
        """Find out about a `kid` for which there is no key: fetch the keys once, unless that was done a moment ago.

        Whoever comes meanwhile waits for the same fetch.

        Raises:
            ServiceUnavailable: There are no keys that count, and the issuer does not give any.
        """
        plan = self._source.plan(kid, self._monotonic())
        if plan is Plan.READY:
            return
        if plan is Plan.FETCH or self._flights.is_under_way():
            await self._flights.join()
        if not self._source.is_usable(self._monotonic()):
            raise ServiceUnavailable(f"there are no keys of {self._url}: {self._why}")

    async def _fetch(self) -> None:
        """Fetch the keys, within one deadline for everything. It raises nothing but cancellation."""
        try:
            with fail_after(self._timeout):
                keys = await self._provider.fetch(self._monotonic())
        except (FetchError, UnusableSetError) as problem:
            self._failed(str(problem))
        except TimeoutError:
            self._failed(f"nothing came within {self._timeout:g} seconds")
        except Exception as problem:  # noqa: BLE001 - and never nothing: a failed run must be told
            # A client of the application's own may raise anything.
            _log.exception("fetching the keys of %s failed", self._url)
            self._failed(type(problem).__name__)
        except BaseException:
            self._source.interrupted()
            raise
        else:
            self._take(keys)

    def _take(self, keys: Mapping[str, Key]) -> None:
        before = self._source.keys
        # The same object for what is the same key, so that what it has verified still counts.
        found = {kid: _kept(before.get(kid), key) or ForeignKey(key, self) for kid, key in keys.items()}
        self._source.succeeded(found, self._monotonic())
        if found.keys() != before.keys():
            _log.info("%s signs with the keys %s", self._url, ", ".join(sorted(found)))

    def _failed(self, why: str) -> None:
        self._why = why
        self._source.failed(self._monotonic())
        _log.warning("the keys of %s cannot be fetched: %s", self._url, why)

    def __repr__(self) -> str:
        return f"Issuer({self._url!r})"


class _InsecureIssuer(Issuer):
    __slots__ = ()

    _insecure = True


def _kept(known: ForeignKey | None, key: Key) -> ForeignKey | None:
    same = known is not None and (known.key.thumbprint, known.key.algorithm) == (key.thumbprint, key.algorithm)
    return known if same else None


def _checked(algorithms: Sequence[str]) -> tuple[str, ...]:
    if isinstance(algorithms, str) or not algorithms or not set(algorithms) <= set(ALGORITHMS):
        raise ValueError(
            f"algorithms is a sequence of {', '.join(ALGORITHMS)}, like ('RS256',); a secret (HS256) is never published"
        )
    return tuple(algorithms)


def _seconds(argument: str, value: timedelta) -> float:
    if not isinstance(value, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"{argument} is a timedelta, like timedelta(minutes=10), not {type(value).__name__}")
    if not timedelta(0) < value <= _LONGEST:
        raise ValueError(f"{argument} must be positive and at most a year")
    return value.total_seconds()

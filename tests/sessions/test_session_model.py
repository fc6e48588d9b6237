"""Sessions against a model of them: whatever a browser does, in whatever order, both know the same user."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from browser_jar import CAFE, HOME, Browser
from helpers import NOW, OTHER_SECRET, SECRET, Clock
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from asgi_login import CookieTransport, LoginManager, Sessions, get_auth

IDLE, LIFETIME, REMEMBER, AT_MOST, FRESH = 900, 7_200, 86_400, 300_000, 600


@dataclass
class Session:
    sub: str
    stamp: int
    client: object
    auth_time: int
    written: int
    fresh: bool
    permanent: bool
    began: int | None = None

    @property
    def until(self):
        began = self.auth_time if self.began is None else self.began
        return min(self.written + IDLE, began + LIFETIME)


@dataclass
class Remembered:
    sub: str
    stamp: int
    auth_time: int
    until: int
    permanent: bool


@dataclass
class Model:
    """What sessions are meant to do, with nothing of tokens, cookies or keys."""

    protection: Mapping[str, str | None]
    now: int = NOW
    client: object = HOME
    stamps: dict = field(default_factory=lambda: {"ada": 0, "bob": 0})
    sessions: dict = field(default_factory=dict)
    remembered: dict = field(default_factory=dict)

    def visit(self):
        """Return who is known by each manager, and whether freshly."""
        return {manager: self._look(manager) for manager in self.protection}

    def login(self, manager, sub, *, remember, permanent):
        self.logout(manager)
        stamp = self.stamps[sub]
        self.sessions[manager] = Session(sub, stamp, self.client, self.now, self.now, fresh=True, permanent=permanent)
        if remember:
            self.remembered[manager] = Remembered(sub, stamp, self.now, self.now + REMEMBER, permanent)

    def logout(self, manager):
        self.sessions.pop(manager, None)
        self.remembered.pop(manager, None)

    def confirm(self, manager):
        session = self.sessions[manager]
        session.client, session.fresh, session.auth_time, session.written = self.client, True, self.now, self.now
        session.began = None
        if manager in self.remembered and self.remembered[manager].until > self.now:
            known = self.remembered[manager]
            known.auth_time, known.stamp, known.until = self.now, session.stamp, self.now + REMEMBER

    def _look(self, manager):
        session, was_alive = self.sessions.get(manager), True
        if session is None or session.until <= self.now:
            session, was_alive = self._restored(manager), False
        if session is None:
            return None
        is_same = session.client == self.client or self.protection[manager] is None
        is_stolen = not is_same and self.protection[manager] == "strong" and not session.permanent
        if is_stolen or session.stamp != self.stamps.get(session.sub):
            return self.logout(manager)
        age, unwritten = self.now - session.written, session.fresh and not is_same
        if unwritten or age >= IDLE / 2:
            session.written, session.fresh = self.now, session.fresh and is_same
            if self.protection[manager] is None:
                session.client = self.client
        if not was_alive:
            self.sessions[manager] = session
            until = min(self.now + REMEMBER, session.auth_time + AT_MOST)
            self.remembered[manager] = Remembered(
                session.sub, session.stamp, session.auth_time, until, session.permanent
            )
        return session.sub, session.fresh and self.now - session.auth_time <= FRESH

    def _restored(self, manager):
        known = self.remembered.get(manager)
        if known is None or known.until <= self.now:
            return None
        session = Session(known.sub, known.stamp, self.client, known.auth_time, self.now, False, known.permanent)
        session.began = self.now
        return session


class SessionMachine(RuleBasedStateMachine):
    """Does the same to a browser and to the model, and compares who each of them knows."""

    @initialize(protection=st.sampled_from(["basic", "strong", None]), other=st.sampled_from(["basic", "strong"]))
    def open(self, protection, other):
        self.model = Model({"web": protection, "admin": other})
        self.clock = Clock()
        self.managers = {
            name: self._manager(name, secret, self.model.protection[name])
            for name, secret in [("web", SECRET), ("admin", OTHER_SECRET)]
        }
        self.browser = Browser.of(*self.managers.values())

    def _manager(self, name, secret, protection):
        sessions = Sessions(
            idle=timedelta(seconds=IDLE),
            lifetime=timedelta(seconds=LIFETIME),
            remember_for=timedelta(seconds=REMEMBER),
            remember_at_most=timedelta(seconds=AT_MOST),
            fresh_for=timedelta(seconds=FRESH),
            protection=protection,
            stamp=lambda user: str(user[1]),
        )
        cookie = CookieTransport(f"__Host-{name}")
        manager = LoginManager(secret, transports=[cookie], clock=self.clock, name=name, sessions=sessions)

        @manager.user_loader
        async def load(sub):
            stamps = self.model.stamps
            return (sub, stamps[sub]) if sub in stamps else None

        return manager

    def _request(self, do=None):
        expected = self.model.visit()
        self.browser.send(do)
        scope = {"state": {"auth": self.browser.auth}}
        found = {name: get_auth(scope, manager=name) for name in self.managers}
        assert {name: auth.user and (auth.user[0], auth.fresh) for name, auth in found.items()} == expected
        first = next((name for name, known in expected.items() if known), None)
        assert self.browser.auth.user == (first and found[first].user)

    managers_of = st.sampled_from(["web", "admin"])
    subs = st.sampled_from(["ada", "bob"])

    @rule(manager=managers_of, sub=subs, remember=st.booleans(), permanent=st.booleans())
    def login(self, manager, sub, remember, permanent):
        if sub not in self.model.stamps:
            return
        user = sub, self.model.stamps[sub]
        self._request(
            lambda scope: self.managers[manager].login_user(
                scope, sub, user=user, remember=remember, permanent=permanent
            )
        )
        self.model.login(manager, sub, remember=remember, permanent=permanent)

    @rule(manager=managers_of)
    def logout(self, manager):
        self._request(self.managers[manager].logout_user)
        self.model.logout(manager)

    @rule(manager=managers_of)
    def confirm(self, manager):
        if deepcopy(self.model).visit()[manager] is not None:
            self._request(self.managers[manager].confirm_login)
            self.model.confirm(manager)

    @rule()
    def visit(self):
        self._request()

    @rule(manager=managers_of)
    def lose_the_session_cookie(self, manager):
        self.browser.drop(f"__Host-{manager}")
        self.model.sessions.pop(manager, None)

    @rule()
    def close_the_browser(self):
        self.browser.close()
        self.model.sessions.clear()

    @rule(client=st.sampled_from([HOME, CAFE]))
    def go(self, client):
        self.browser.client = self.model.client = client

    @rule(seconds=st.sampled_from([1, 60, IDLE, LIFETIME, REMEMBER]))
    def wait(self, seconds):
        self.clock.now += seconds
        self.model.now += seconds

    @rule(
        manager=managers_of,
        moment=st.sampled_from(["due", "idle", "stale", "end", "forgotten"]),
        offset=st.sampled_from([-1, 0, 1]),
    )
    def wait_for_what_changes_with_time(self, manager, moment, offset):
        session, remembered = self.model.sessions.get(manager), self.model.remembered.get(manager)
        if moment == "forgotten":
            then = remembered and remembered.until
        else:
            after = {"due": IDLE // 2, "idle": IDLE, "stale": FRESH, "end": LIFETIME}[moment]
            start = session and (session.written if moment in {"due", "idle"} else session.auth_time)
            if session and moment == "end" and session.began is not None:
                start = session.began
            then = start and start + after
        if then and then + offset > self.model.now:
            self.wait(then + offset - self.model.now)
            self._request()

    @rule(times=st.sampled_from([2, 8, 16]))
    def stay_active(self, times):
        for _ in range(times):
            self.wait(IDLE // 2)
            self._request()

    @rule(client=st.sampled_from([HOME, CAFE]))
    def visit_elsewhere_and_come_back(self, client):
        self.go(client)
        self._request()
        self.go(HOME if client == CAFE else CAFE)
        self._request()

    @rule(sub=subs)
    def change_the_password(self, sub):
        if sub in self.model.stamps:
            self.model.stamps[sub] += 1

    @rule(sub=subs)
    def delete_the_user(self, sub):
        self.model.stamps.pop(sub, None)

    @rule(sub=subs)
    def sign_up_again(self, sub):
        self.model.stamps.setdefault(sub, 1_000)


@pytest.mark.parametrize("steps", [8, 40])
def test_browsers_and_the_model_know_the_same_user_whatever_happens(steps):
    check = settings(
        max_examples=300,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(SessionMachine, settings=check)

"""People who log in and out all the time, on several devices, and keep a copy of every credential they ever had."""

import asyncio
import random
import time
from dataclasses import dataclass, field

from soak.record import End
from soak.served import COOKIE, REMEMBER
from soak.site import Credential, bearer, claims_of, in_cookies

DEVICES = 3
THOUGHT = 0.08
# Of those that have ended, each person keeps the latest.
GHOSTS = 60


@dataclass
class Login:
    """A login on one device.

    Attributes:
        jar: The cookies of the browser.
        sid: Its session.
        is_certain: Whether it must be accepted until it is ended. It need not where nobody knows whether it was.
        copies: Session cookies that the browser had before.
        tokens: Access tokens that were issued to it: those that belong to the session, and those that do not.
    """

    jar: dict[str, str]
    sid: str
    is_certain: bool
    copies: list[Credential] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    @property
    def credential(self):
        return in_cookies(self.jar)

    def keep(self, cookies):
        """Put the cookies of an answer into the jar, and keep a copy of what was there."""
        self.copies = [one for one in self.copies if one.exp > time.time()]
        if cookies.get(COOKIE):
            self.copies.append(in_cookies({COOKIE: self.jar[COOKIE]}))
        self.jar |= {name: value for name, value in cookies.items() if value}

    def everything(self):
        """Return every credential of this login."""
        single = [in_cookies({name: value}) for name, value in self.jar.items()]
        bound = [bearer(token) for token in self.tokens if claims_of(token).get("sid") == self.sid]
        return [*single, *self.copies, *bound]


class Person:
    """Somebody with an account."""

    def __init__(self, name, site, record, tasks):
        self.name, self._site, self._record, self._tasks = name, site, record, tasks
        self._random = random.Random(name)  # noqa: S311 - the same people in each run
        self.logins, self.ghosts = [], []
        self._cut_off_at, self._not_before = 0, 0.0

    async def live(self, stop):
        """Do one thing after another."""
        actions = {
            self.visit: 40,
            self.show_copy: 10,
            self.restore: 6,
            self.get_token: 6,
            self.use_token: 10,
            self.haunt: 14,
            self.log_in: 6,
            self.log_out: 4,
            self.revoke_session: 3,
            self.revoke_token: 4,
            self.log_out_everywhere: 2,
        }
        while not stop.is_set():
            action = self.log_in if not self.logins else self._random.choices([*actions], [*actions.values()])[0]
            self._record.done[action.__name__] += 1
            await action()
            await asyncio.sleep(self._random.random() * THOUGHT)

    def _process(self):
        return self._random.randrange(2)

    async def log_in(self):
        if len(self.logins) == DEVICES:
            return
        remember = self._random.choice(["", "&remember=1"])
        answer = await self._site.ask(self._process(), f"/login?user={self.name}{remember}", method="POST")
        if answer.status == 200:
            jar = {name: value for name, value in answer.cookies.items() if value}
            claims = claims_of(jar[COOKIE])
            # Around "log out everywhere", a process that has not heard of it issues what it ends.
            self.logins.append(Login(jar, claims["sid"], is_certain=claims["auth_time"] > self._cut_off_at))

    async def visit(self):
        login = self._random.choice(self.logins)
        answer = await self._show(login, login.credential)
        login.keep(answer.cookies)

    async def show_copy(self):
        """Show a session cookie that was replaced since, and may still be good."""
        login = self._random.choice(self.logins)
        if login.copies:
            await self._show(login, self._random.choice(login.copies))

    async def restore(self):
        """Come back after the session cookie has gone."""
        login = self._random.choice(self.logins)
        if REMEMBER in login.jar:
            answer = await self._show(login, in_cookies({REMEMBER: login.jar[REMEMBER]}))
            login.keep(answer.cookies)

    async def get_token(self):
        login = self._random.choice(self.logins)
        path = self._random.choice(["/token", "/token?bound=1"])
        answer = await self._site.ask(self._process(), path, login.credential, method="POST")
        login.tokens = [token for token in login.tokens if claims_of(token)["exp"] > time.time()]
        if answer.status == 200:
            login.tokens.append(answer.content["token"])

    async def use_token(self):
        login = self._random.choice(self.logins)
        if login.tokens:
            await self._show(login, bearer(self._random.choice(login.tokens)))

    async def _show(self, login, credential, process=None):
        """Show a credential of a login that has not ended."""
        answer = await self._site.ask(self._process() if process is None else process, "/", credential)
        if answer.status == 200 and answer.user != self.name:
            self._record.violate(answer, f"is taken for another than {self.name}")
        # Where a session has expired, and nothing brings it back, there is nothing to refuse.
        if answer.status == 401 and login.is_certain and time.time() < credential.exp:
            self._record.violate(answer, f"{login.sid} of {self.name} was refused and had never been ended")
        if answer.status == 401 and login in self.logins and credential.cookies:
            self.logins.remove(login)
        return answer

    async def log_out(self):
        login = self._random.choice(self.logins)
        answer = await self._site.ask(self._process(), "/logout", login.credential, method="POST")
        self._end(answer, [login], "logout")

    async def revoke_session(self):
        login = self._random.choice(self.logins)
        answer = await self._site.ask(self._process(), "/revoke_session", method="POST", content=login.sid)
        self._end(answer, [login], "revoke_session")

    async def revoke_token(self):
        """Revoke an access token; or the cookie of a session, which ends its login."""
        login = self._random.choice(self.logins)
        token = self._random.choice([*login.tokens, login.jar[COOKIE]])
        answer = await self._site.ask(self._process(), "/revoke_token", method="POST", content=token)
        if token not in login.tokens:
            self._end(answer, [login], "revoke_token of a session")
        else:
            login.tokens.remove(token)
            if answer.status == 200:
                end = End(answer.received, answer.process, "revoke_token")
                self._bury(claims_of(token)["jti"], end, [bearer(token)])

    async def log_out_everywhere(self):
        """Log out on every device. Nobody else acts for this person, so that all logins of theirs are known.

        Once in a second, so that the cut-off lies no more than a second ahead.
        """
        if time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + 1
        login = self._random.choice(self.logins)
        answer = await self._site.ask(self._process(), "/everywhere", login.credential, method="POST")
        if answer.status != 401:
            self._cut_off_at = int(time.time()) + 2
            self._end(answer, list(self.logins), "log out everywhere")

    def _end(self, answer, logins, how):
        """Note what was ended, if the answer says so. Otherwise it may have been, and may not."""
        if answer.status != 200:
            for login in logins:
                login.is_certain = False
            return
        end = End(answer.received, answer.process, how)
        for login in logins:
            self.logins.remove(login)
            self._bury(login.sid, end, login.everything())
            for token in login.tokens if how == "log out everywhere" else ():
                self._bury(claims_of(token)["jti"], end, [bearer(token)])

    def _bury(self, key, end, credentials):
        self._record.ends[key] = end
        living = [one for one in credentials if one.exp > time.time() + 2]
        self.ghosts = [*self.ghosts, *living][-GHOSTS:]
        if living:
            self._tasks.create_task(self._hunt(end, self._random.choice(living)))

    async def _hunt(self, end, credential):
        """Show what has ended to the other process, without a pause, until it refuses."""
        until = end.at + self._record.max_staleness + self._record.back
        while time.monotonic() < until:
            answer = await self._site.ask(1 - end.process, "/", credential)
            self._keep_ghosts_of(answer)
            if answer.status == 401:
                self._record.refused(answer, end)
                return
            await asyncio.sleep(0.05 if answer.status == 503 else 0)

    async def haunt(self):
        """Show something that has ended before."""
        self.ghosts = [one for one in self.ghosts if one.exp > time.time()]
        if self.ghosts:
            answer = await self._site.ask(self._process(), "/", self._random.choice(self.ghosts))
            self._keep_ghosts_of(answer)

    def _keep_ghosts_of(self, answer):
        """Keep what a process that had not heard of the end has renewed."""
        renewed = {name: value for name, value in answer.cookies.items() if value}
        self.ghosts += [in_cookies({name: value}) for name, value in renewed.items()]

    async def die(self):
        """Show everything to both processes for the last time."""
        for process in (0, 1):
            for ghost in self.ghosts:
                await self._site.ask(process, "/", ghost)
            for login in list(self.logins):
                await self._show(login, login.credential, process)

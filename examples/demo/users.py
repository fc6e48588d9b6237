"""The users of the demo, in SQLite, with passwords hashed by argon2."""

import hashlib
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash

SCOPES = {
    "orders:read": "Read the orders (FastAPI)",
    "reports:read": "Read the reports (Starlette)",
    "stock:read": "Read the stock list (Quart)",
    "invoices:read": "Read the invoices (Litestar)",
    "audit:read": "Read the audit log (plain ASGI)",
}

# One hash takes 64 MiB and a processor for a moment. Without a limit, logins could exhaust both.
MAX_HASHES_AT_ONCE = 4


class Account(NamedTuple):
    """The data of a demo user."""

    name: str
    password: str
    scopes: tuple[str, ...]


# The demo prints these passwords at start; they protect nothing.
ACCOUNTS = (
    Account("ada", "analytical-engine", tuple(SCOPES)),
    Account("bob", "can-we-fix-it", ()),
)
PASSWORDS = {one.name: one.password for one in ACCOUNTS}


@dataclass(frozen=True, slots=True)
class User:
    """The user who is logged in. The hash of the password stays in the database.

    Attributes:
        name: The unique name.
        scopes: What this user may do.
        stamp: Changes with the password, which ends all sessions.
    """

    name: str
    scopes: frozenset[str]
    stamp: str = field(repr=False)


class Row(NamedTuple):
    """A row of the table."""

    name: str
    password: str
    scopes: str

    def user(self) -> User:
        """Return the user that the row describes."""
        stamp = hashlib.sha256(self.password.encode()).hexdigest()
        return User(self.name, frozenset(self.scopes.split()), stamp)


class Users:
    """The table of users.

    Args:
        database: The file, which is created if it is missing.

    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._hasher = PasswordHash.recommended()
        self._limiter = CapacityLimiter(MAX_HASHES_AT_ONCE)
        self._nobodys_hash = self._hasher.hash(secrets.token_urlsafe())
        with closing(self._connect()) as db, db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, password TEXT NOT NULL, scopes TEXT NOT NULL)"
            )
        for account in ACCOUNTS:
            if self.find(account.name) is None:
                self._add(account)

    def find(self, name: str) -> User | None:
        """Return a user by name. This is the user loader; it blocks, so the library runs it in a worker thread."""
        row = self._row(name)
        return None if row is None else row.user()

    async def authenticate(self, name: str, password: str) -> User | None:
        """Return the user if the password is correct."""
        return await to_thread.run_sync(self._authenticate, name, password, limiter=self._limiter)

    def _authenticate(self, name: str, password: str) -> User | None:
        row = self._row(name)
        # Verify a hash for an unknown name too, so that the response time does not reveal which names exist.
        is_right = self._hasher.verify(password, self._nobodys_hash if row is None else row.password)
        return row.user() if row is not None and is_right else None

    def _row(self, name: str) -> Row | None:
        with closing(self._connect()) as db:
            row = db.execute("SELECT name, password, scopes FROM users WHERE name = ?", (name,)).fetchone()
        return None if row is None else Row(*row)

    def _add(self, account: Account) -> None:
        with closing(self._connect()) as db, db:
            db.execute(
                "INSERT OR IGNORE INTO users (name, password, scopes) VALUES (?, ?, ?)",
                (account.name, self._hasher.hash(account.password), " ".join(account.scopes)),
            )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._database)

"""A site on Starlette with an audit log of its logins in SQLite, and counters for Prometheus.

python -m pip install . prometheus-client starlette uvicorn
export SECRET=$(asgi-login secret)
uvicorn examples.audit_log:app
curl -H "Authorization: Bearer nonsense" http://127.0.0.1:8000/
curl -H "Authorization: Bearer $(asgi-login token ada --key-env SECRET)" http://127.0.0.1:8000/audit

AUDIT_DB names the file of the log, which is audit.db here by default.
"""

import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from queue import Full, Queue
from threading import Thread

import uvicorn
from prometheus_client import Counter, make_asgi_app
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from asgi_login import Event, Gate, LoginManager, login_required, requires
from asgi_login.starlette import install

DATABASE = os.environ.get("AUDIT_DB", "audit.db")
COLUMNS = ("at", "kind", "manager", "sub", "sid", "transport", "reason", "client")
EVENTS = Counter("asgi_login_events", "What happened to logins.", ["kind", "manager", "transport", "reason"])
# A series begins to exist with its first event. An alert on an increase needs it before.
for transport in ("refresh_token", "remember_token"):
    EVENTS.labels("refresh_reused", "default", transport, "")
EVENTS.labels("store_down", "default", "", "unavailable")
LOST = Counter("audit_log_lost", "Events for which the audit log had no room.")
# Between the requests, which must not wait for a disk, and the thread that writes. Bounded: everybody can be refused.
waiting: Queue[Event | None] = Queue(10_000)


def on_event(event: Event) -> None:
    EVENTS.labels(event.kind, event.manager, event.transport or "", event.reason or "").inc()
    if event.reason == "no_credential":
        return  # crawlers
    try:
        waiting.put_nowait(event)
    except Full:
        LOST.inc()


def write_events() -> None:
    """Write what waits, until there is a None."""
    with closing(sqlite3.connect(DATABASE)) as database:
        database.execute(f"CREATE TABLE IF NOT EXISTS events ({', '.join(COLUMNS)})")
        while (event := waiting.get()) is not None:
            values = [getattr(event, column) for column in COLUMNS]
            with database:
                database.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(COLUMNS))})", values)  # noqa: S608 - only question marks


# Without SECRET this raises an error that names it and shows the command to make one.
manager = LoginManager[str](os.environ.get("SECRET", ""), on_event=on_event)


@manager.user_loader
async def load_user(sub: str) -> str | None:
    return sub if sub in {"ada", "bob"} else None


@login_required
async def home(request: Request) -> Response:
    return JSONResponse({"user": request.user})


# A plain view runs in a worker thread, where SQLite holds nobody up.
@requires(lambda auth: auth.user == "ada")
def audit(_request: Request) -> Response:
    with closing(sqlite3.connect(DATABASE)) as database:
        rows = database.execute("SELECT * FROM events ORDER BY at DESC LIMIT 100").fetchall()
    return JSONResponse([dict(zip(COLUMNS, row, strict=True)) for row in rows])


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
    writer = Thread(target=write_events)
    writer.start()
    try:
        yield
    finally:
        waiting.put(None)
        writer.join()


app = Starlette(
    routes=[
        Route("/", home),
        Route("/audit", audit),
        Mount("/metrics", app=Gate(make_asgi_app(), check=lambda auth: auth.user == "ada")),
    ],
    lifespan=lifespan,
)
install(app, manager)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)

"""Two real processes on one store: what is ended in one of them is refused by the other."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import anyio
import pytest
from conformance.driver import http
from soak.processes import two_processes
from soak.served import COOKIE, make_manager
from stores.servers import wait_until

from asgi_login import AuthMiddleware
from benchmarks.elsewhere import logged_out_elsewhere

LOGOUTS = 200
IDLE = timedelta(seconds=30)


@pytest.fixture
def processes(server, tmp_path):
    with two_processes(tmp_path, server.url, server.url, idle=IDLE) as processes:
        yield processes


@pytest.fixture
def cut_off(server, proxy, tmp_path):
    """Two processes, of which the first reaches the store by way of a proxy."""
    with two_processes(tmp_path, proxy.url, server.url, idle=IDLE) as processes:
        yield processes


def session_due_for_renewal():
    """Return the cookie of a login that has been idle for so long that the next request renews it."""
    manager = make_manager(IDLE, clock=lambda: time.time() - 0.6 * IDLE.total_seconds())

    async def log_in(scope, receive, send):
        manager.login_user(scope, "ada")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return session_in(anyio.run(http, AuthMiddleware(log_in, manager), "/").header("set-cookie"))


def session_in(lines):
    """Return the value of the session cookie that a response sets, or None."""
    for line in lines:
        if line.startswith(f"{COOKIE}="):
            return line.partition("=")[2].partition(";")[0]
    return None


@contextmanager
def clients(processes):
    here, there = processes
    with here.client() as one, there.client() as other:
        yield one, other


def carrying(session):
    return {"cookie": f"{COOKIE}={session}"}


def refuses(client, session):
    return client.get("/", headers=carrying(session)).status_code == 401


def test_a_logout_in_one_is_a_refusal_in_the_other_within_a_tenth_of_a_second(processes):
    here, there = (one.place.port for one in processes)
    took = logged_out_elsewhere(here, there, logouts=LOGOUTS).values
    assert statistics.quantiles(took, n=100)[98] < 100
    assert max(took) < 1000


def test_a_renewal_that_is_held_while_the_session_ends_elsewhere_does_not_survive(processes):
    old = session_due_for_renewal()
    with clients(processes) as (here, there), ThreadPoolExecutor() as pool:
        held = pool.submit(lambda: here.get("/hold", headers=carrying(old)))
        with processes[0].client() as beside:
            wait_until(lambda: beside.get("/holding").json(), what="the request to be held")
            assert there.post("/logout", headers=carrying(old)).status_code == 200
            beside.post("/release")
        renewed = session_in(held.result().headers.get_list("set-cookie"))
        assert renewed not in {None, "", old}
        assert refuses(there, renewed)
        wait_until(lambda: refuses(here, renewed), seconds=1)


def test_a_renewal_by_a_process_that_cannot_have_heard_does_not_survive(cut_off, server, proxy):
    old = session_due_for_renewal()
    with clients(cut_off) as (here, there):
        here.get("/", headers=carrying(old))
        wait_until(lambda: b"cmd=xread" in server.say("CLIENT", "LIST"), what="the process to follow the store")
        assert here.get("/", headers=carrying(old)).status_code == 200
        proxy.silent = True
        assert there.post("/logout", headers=carrying(old)).status_code == 200
        answer = here.get("/", headers=carrying(old))
        assert answer.status_code == 200, "within max_staleness it goes on by what it knows"
        renewed = session_in(answer.headers.get_list("set-cookie"))
        assert renewed not in {None, "", old}
        proxy.silent = False
        assert refuses(there, renewed)
        wait_until(lambda: refuses(here, renewed), seconds=4)

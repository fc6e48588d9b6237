"""Demos that share one Redis, and so the logins and logouts of their users."""

import signal
from contextlib import ExitStack

import pytest
from demo_devices import CHROME, FIREFOX, device, is_logged_in, row
from demo_process import BOB, COOKIE, redis_server, refused_start, started
from stores.servers import wait_until


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Return a Redis that may be frozen, and two demos that share it."""
    home = tmp_path_factory.mktemp("shared")
    with redis_server(home / "redis") as redis, ExitStack() as stack:
        one, other = (
            stack.enter_context(started(home / "folder", home / name, "--redis", redis.url)) for name in ("one", "two")
        )
        yield redis, one, other


def test_a_demo_says_what_remembers_its_logouts(shared, tmp_path):
    for one in shared[1:]:
        assert "Redis remembers who was logged out" in one.introduction
    with started(tmp_path / "folder", tmp_path / "log") as alone:
        assert "This process remembers who was logged out" in alone.introduction
        assert alone.log.read_text() == ""


def test_two_demos_with_one_redis_share_their_logins_and_logouts(shared):
    _, one, other = shared
    with device(one, FIREFOX) as here, device(other, CHROME) as there, other.browser() as copy:
        copy.headers["User-Agent"] = FIREFOX
        copy.cookies.set(COOKIE, here.cookies[COOKIE])
        assert is_logged_in(copy)
        here.post("/devices/logout", data={"session": row(here, "Chrome on Linux")[2]})
        wait_until(lambda: not is_logged_in(there), what="the logout of the other demo", seconds=1)
        assert is_logged_in(copy)
        here.post("/logout")
        wait_until(lambda: not is_logged_in(copy), what="the end of the copied cookie", seconds=1)


def test_a_redis_that_does_not_answer_is_a_503(shared):
    redis, one, _ = shared
    with device(one, FIREFOX, BOB) as here, device(one, CHROME, BOB) as there:
        form = {"session": row(here, "Chrome on Linux")[2]}
        redis.freeze()
        try:
            asked = [
                here.get("/devices"),
                here.post("/devices/logout", data=form),
                here.post("/devices/logout-others"),
            ]
            logged_out = here.post("/logout-everywhere")
        finally:
            redis.thaw()
        for answer in (*asked, logged_out):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["error"] == "temporarily_unavailable"
        assert not any("set-cookie" in answer.headers for answer in asked)
        # Nobody knows whether Redis ends the login once it wakes up, but this browser has forgotten it.
        assert not here.cookies
        wait_until(lambda: there.get("/devices").status_code != 503, what="an answer")
    assert "Traceback" not in one.log.read_text()


def test_a_demo_with_a_redis_ends_cleanly(shared, tmp_path):
    redis, one, _ = shared
    with started(one.folder, tmp_path / "log", "--redis", redis.url) as again:
        with device(again, FIREFOX) as here:
            assert is_logged_in(here)
            again.process.send_signal(signal.SIGTERM)
            assert again.process.wait(10) == 0
        assert again.log.read_text() == ""


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "redis://:pass/word@127.0.0.1"])
def test_a_wrong_url_of_a_redis_is_one_clear_sentence_without_its_password(tmp_path, url):
    answer = refused_start(tmp_path / "folder", 0, "--redis", url)
    assert (answer.returncode, answer.stdout) == (1, "")
    (sentence,) = answer.stderr.splitlines()
    assert "write one like REDIS=redis://127.0.0.1:6379/0" in sentence
    assert "pass" not in sentence
    assert not (tmp_path / "folder").exists()


def test_a_redis_without_redis_py_is_one_clear_sentence(tmp_path):
    (tmp_path / "redis.py").write_text("raise ModuleNotFoundError(name='redis')")
    answer = refused_start(tmp_path / "folder", 0, "--redis", "redis://127.0.0.1", PYTHONPATH=str(tmp_path))
    assert (answer.returncode, answer.stdout) == (1, "")
    (sentence,) = answer.stderr.splitlines()
    assert "needs redis-py" in sentence

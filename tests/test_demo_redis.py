"""Demos that share one Redis, and so the logouts of their users."""

import signal
from contextlib import ExitStack

import pytest
from demo_devices import FIREFOX, device, is_logged_in
from demo_process import COOKIE, redis_server, refused_start, started
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


def test_a_logout_at_one_demo_ends_a_copied_cookie_at_the_other(shared):
    _, one, other = shared
    with device(one, FIREFOX) as here, other.browser() as copy:
        copy.headers["User-Agent"] = FIREFOX
        copy.cookies.set(COOKIE, here.cookies[COOKIE])
        assert is_logged_in(copy)
        here.post("/logout")
        wait_until(lambda: not is_logged_in(copy), what="the end of the copied cookie", seconds=1)


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

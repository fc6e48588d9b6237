"""The settings of stores: what is wrong is said in a sentence when the store is made."""

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest
import redis
import redis.asyncio

from asgi_login.redis import RedisStore
from asgi_login.stores import MemoryStore

URL = "redis://localhost:6379/0"


def redis_store(**options):
    return RedisStore(URL, **options)


@pytest.mark.parametrize("make", [MemoryStore, redis_store])
@pytest.mark.parametrize(
    ("options", "problem", "sentence"),
    [
        ({"keep": 31}, TypeError, "keep is a timedelta, like timedelta(seconds=10), not int"),
        ({"max_staleness": 10.0}, TypeError, "max_staleness is a timedelta"),
        ({"insecure_fail_open": 1}, TypeError, "insecure_fail_open is True or False"),
        ({"keep": timedelta(seconds=1)}, ValueError, "keep must be at least a minute"),
        ({"max_staleness": timedelta(seconds=1)}, ValueError, "max_staleness must be at least 2 seconds"),
        ({"timeout": timedelta(0)}, ValueError, "timeout must be at least a millisecond"),
        ({"timeout": timedelta(seconds=11)}, ValueError, "timeout must not be longer than max_staleness"),
        ({"stale": 1}, TypeError, "stale"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_with_a_sentence(make, options, problem, sentence):
    with pytest.raises(problem, match=re.escape(sentence)):
        make(**options)


@pytest.mark.parametrize(
    ("options", "problem", "sentence"),
    [
        ({"prefix": "{x}"}, ValueError, "prefix '{x}': use letters"),
        ({"prefix": ""}, ValueError, "prefix ''"),
        ({"replicas": -1}, ValueError, "replicas is how many"),
        ({"replicas": True}, ValueError, "replicas is how many"),
        ({"insecure_allow_eviction": "yes"}, TypeError, "insecure_allow_eviction is True or False"),
    ],
)
def test_a_setting_of_redis_that_is_wrong_is_refused_with_a_sentence(options, problem, sentence):
    with pytest.raises(problem, match=re.escape(sentence)):
        redis_store(**options)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", ""])
def test_a_url_that_is_none_of_redis_is_refused(url):
    with pytest.raises(ValueError, match="redis://"):
        RedisStore(url)


@pytest.mark.parametrize("client", [redis.Redis(), None, 6379])
def test_what_is_no_client_of_asyncio_is_refused(client):
    with pytest.raises(TypeError, match=r"a client of redis\.asyncio; not "):
        RedisStore(client)


def test_a_cluster_cannot_wait_for_replicas():
    with pytest.raises(ValueError, match="in a cluster"):
        RedisStore(redis.asyncio.RedisCluster("localhost"), replicas=1)


@pytest.mark.parametrize("make", [MemoryStore, redis_store])
def test_settings_are_frozen_and_a_store_has_no_other_attributes(make):
    store = make()
    with pytest.raises(FrozenInstanceError):
        store.options.keep = timedelta(days=1)
    with pytest.raises(AttributeError):
        store.keep = timedelta(days=1)


def test_a_password_in_the_url_is_not_shown():
    assert "hunter2" not in repr(RedisStore("redis://:hunter2@localhost/0"))


def test_without_redis_py_a_sentence_says_what_to_install():
    code = "import sys; sys.modules['redis'] = None; import asgi_login.redis"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    last = done.stderr.strip().splitlines()[-1]
    assert last == 'ImportError: asgi_login.redis needs redis-py 6 or later: pip install "asgi-login[redis]"'

"""A user loader with Django's ORM: it leaves no connection open, and sees what a test has written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def run(case, **environment):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, HERE / "django_orm.py", case],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("age", ["0", "600"], ids=["closed after each request", "kept for ten minutes"])
@pytest.mark.parametrize("loader", ["plain", "async", "awaitable", "trio"])
def test_a_loader_leaves_no_connection_open(loader, age):
    outcome, _ = run(loader, CONN_MAX_AGE=age)
    assert outcome["answers"] == ["<User: ada>"]
    assert outcome["opened"] >= 8
    assert outcome["left open"] == 0
    assert outcome["unraisable"] == []


def test_in_djangos_own_tests_the_loader_sees_the_transaction_of_the_test():
    outcome, log = run("in a transaction")
    assert (outcome["ran"], outcome["failed"], outcome["unraisable"]) == (3, 0, []), log

import pytest
from browser_jar import Browser
from helpers import Clock, make_manager


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def manager(clock):
    return make_manager(clock=clock)


@pytest.fixture
def browser(manager):
    return Browser.of(manager)

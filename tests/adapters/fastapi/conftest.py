import pytest
from adapters.fastapi.application import EVERY_WAY, application, make_logins, mounted
from fastapi.testclient import TestClient


@pytest.fixture
def logins():
    return make_logins()


@pytest.fixture(params=EVERY_WAY)
def how(request):
    return request.param


@pytest.fixture
def client(how, logins):
    return TestClient(mounted(application(logins), how, logins), "https://testserver", follow_redirects=False)

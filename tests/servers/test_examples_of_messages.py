"""The examples of first messages and of the audit log, in front of real clients."""

import asyncio
import importlib
import secrets
import sys

import httpx
import pytest
from servers.in_threads import served

gql = pytest.importorskip("gql", reason="gql is not installed: make test installs it")
socketio = pytest.importorskip("socketio", reason="python-socketio is not installed: make test installs it")
pytest.importorskip("strawberry", reason="strawberry-graphql is not installed: make test installs it")
pytest.importorskip("prometheus_client", reason="prometheus-client is not installed: make test installs it")


@pytest.fixture
def example(request, monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET", secrets.token_urlsafe(48))
    monkeypatch.setenv("AUDIT_DB", str(tmp_path / "audit.db"))
    name = f"examples.{request.param}"
    yield importlib.import_module(name)
    del sys.modules[name]


@pytest.mark.parametrize("example", ["messages"], indirect=True)
def test_a_subscription_and_a_socket_log_in_with_their_first_message(example):
    from gql.transport.websockets import WebsocketsTransport  # noqa: PLC0415 - it is not there where gql is not

    def subscriber(address, token):
        return gql.Client(
            transport=WebsocketsTransport(
                f"{address.replace('http', 'ws')}/graphql/",
                subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
                init_payload={"token": token},
            )
        )

    async def subscribe(address, token):
        async with subscriber(address, token) as session:
            return [one["news"] async for one in session.subscribe(gql.gql("subscription { news }"))]

    def token(*scopes):
        return example.manager.create_access_token(data={"sub": "ada"}, scopes=scopes)

    with served(example.app) as address:
        with socketio.SimpleClient() as client:
            client.connect(address, auth={"token": token()})
            assert client.call("write", "no") == {"error": "insufficient_scope"}
        with socketio.SimpleClient() as client:
            client.connect(address, auth={"token": token("news:write")})
            assert client.call("write", "more tea") == {"answer": "published by Ada"}
        with socketio.SimpleClient() as client, pytest.raises(socketio.exceptions.ConnectionError):
            client.connect(address, auth={"token": "nonsense"})
        assert asyncio.run(subscribe(address, token())) == ["Ada: tea is out", "Ada: there is cake", "Ada: more tea"]
        with pytest.raises(gql.transport.exceptions.TransportError):
            asyncio.run(subscribe(address, "nonsense"))


@pytest.mark.parametrize("example", ["audit_log"], indirect=True)
def test_an_audit_log_is_written_and_shown_to_whom_it_concerns(example):
    def bearer(sub):
        return {"Authorization": f"Bearer {example.manager.create_access_token(data={'sub': sub})}"}

    with served(example.app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        assert client.get("/", headers={"Authorization": "Bearer nonsense"}).status_code == 401
        assert client.get("/", headers=bearer("ada")).json() == {"user": "ada"}
        assert client.get("/audit", headers=bearer("bob")).status_code == 403
        assert client.get("/metrics/").status_code == 401
        counted = client.get("/metrics/", headers=bearer("ada")).text
    # It is there before the first event, for an alert.
    assert (
        'asgi_login_events_total{kind="store_down",manager="default",reason="unavailable",transport=""} 0.0' in counted
    )
    assert 'asgi_login_events_total{kind="refused",manager="default",reason="malformed_token"' in counted
    # The log is written to its end when the server stops.
    with served(example.app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        rows = client.get("/audit", headers=bearer("ada")).json()
    assert [(row["kind"], row["reason"], row["sub"], row["client"]) for row in reversed(rows)] == [
        ("refused", "malformed_token", None, "127.0.0.1"),
        ("refused", "not_permitted", "bob", "127.0.0.1"),
    ]

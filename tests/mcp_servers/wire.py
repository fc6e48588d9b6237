"""Requests to an MCP server as bytes, to do what no client would."""

import json

import httpx

PROTOCOL = "2025-11-25"
INITIALIZE = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Wire:
    """One HTTP connection, on which everybody may send."""

    def __init__(self, url):
        self.url = url
        self.http = httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=1), timeout=20)

    def __enter__(self):
        self.http.__enter__()
        return self

    def __exit__(self, *problem):
        self.http.__exit__(*problem)

    def send(self, method, token, session=None, body=None):
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": PROTOCOL}
        headers |= {"authorization": f"Bearer {token}"} if token else {}
        headers |= {"mcp-session-id": session} if session else {}
        return self.http.request(method, self.url, headers=headers, json=body)

    def open_session(self, token):
        """Return the id of a new session, or None from a server that keeps none."""
        answer = self.send("POST", token, body=message("initialize", INITIALIZE))
        assert answer.status_code == 200, answer.text
        session = answer.headers.get("mcp-session-id")
        ready = self.send("POST", token, session, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert ready.status_code == 202, ready.text
        return session

    def ask(self, token, session=None):
        """Call `whoami`, and return the whole answer."""
        return self.send("POST", token, session, message("tools/call", {"name": "whoami", "arguments": {}}))

    def whoami(self, token, session=None):
        """Return who the server says that is."""
        answer = self.ask(token, session)
        assert answer.status_code == 200, answer.text
        # JSON, or one event that has it.
        found = json.loads(answer.text[answer.text.index("{") :])
        assert not found["result"].get("isError"), found
        return found["result"]["content"][0]["text"]


def message(method, params):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}

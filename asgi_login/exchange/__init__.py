"""The exchange: one request and its response, from where the application is called until the last byte is sent.

Read `record` first: what gates, middleware and managers know of the request. `http_record` and `websocket_record` watch
the response, the latter from its `handshake` on. `response_headers` and `responses` say what is sent, and `fallback`
when we answer in place of the application. `watch` knows the logins that a connection ends with; an
`ending_websocket` is closed when they end, and `open_connections` sees to that, on whatever `event_loop` there is.
`next_url` says where a browser goes on after the login, and `pages` recognises the requests that a page makes for
itself.
"""

from asgi_login.exchange.fallback import auth_error_in, note_failure
from asgi_login.exchange.http_record import HTTPRecord, answering_own_end
from asgi_login.exchange.next_url import safe_next
from asgi_login.exchange.open_connections import OpenConnections
from asgi_login.exchange.record import RequestRecord, changeable_record, mark_refusal
from asgi_login.exchange.responses import answer, http_answer
from asgi_login.exchange.websocket_record import WebSocketRecord

__all__ = [
    "HTTPRecord",
    "OpenConnections",
    "RequestRecord",
    "WebSocketRecord",
    "answer",
    "answering_own_end",
    "auth_error_in",
    "changeable_record",
    "http_answer",
    "mark_refusal",
    "note_failure",
    "safe_next",
]

"""The exchange: one request and its response, from where the application is called until the last byte is sent.

Read `record` first, which is what gates, middleware and managers know of the request; then `http_record` and
`websocket_record`, which watch the response; `response_headers` and `responses` say what is sent, and `fallback` when
we answer in place of the application.
"""

from asgi_login.exchange.http_record import HTTPRecord
from asgi_login.exchange.record import CURRENT_RECORD, changeable_record, current_auth, current_record
from asgi_login.exchange.responses import answer, http_answer, safe_next
from asgi_login.exchange.websocket_record import WebSocketRecord

__all__ = [
    "CURRENT_RECORD",
    "HTTPRecord",
    "WebSocketRecord",
    "answer",
    "changeable_record",
    "current_auth",
    "current_record",
    "http_answer",
    "safe_next",
]

"""The application: what AuthMiddleware, Gate and Endpoints need to know of the application they wrap.

Read `wrapper` first: it stands around an application, of ASGI 2 too by way of `asgi2`. `paths` compares the paths of
requests with those of `skip`, `exempt`, `passive` and of endpoints. `options` recognises views whose framework answers
OPTIONS.
"""

from asgi_login.application.options import leaves_options_to_framework
from asgi_login.application.paths import address, encoded, path_below_root, path_prefixes, server_root, under
from asgi_login.application.wrapper import Wrapper, find_inside

__all__ = [
    "Wrapper",
    "address",
    "encoded",
    "find_inside",
    "leaves_options_to_framework",
    "path_below_root",
    "path_prefixes",
    "server_root",
    "under",
]

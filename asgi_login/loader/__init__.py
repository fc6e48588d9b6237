"""The loader: calls the application's user loader, whatever kind of callable it is.

Read `loader` first. `callback` calls a function that checks a credential, such as a password. `threads` runs plain
functions on worker threads, and `django_connections` closes the database connections that Django's ORM opens there.
"""

from asgi_login.loader.callback import Callback
from asgi_login.loader.loader import UserLoader, is_async_callable

__all__ = ["Callback", "UserLoader", "is_async_callable"]

"""The loader: calls the application's user loader, whatever kind of callable it is.

Read `loader` first. `threads` runs plain functions on worker threads, and `django_connections` closes the database
connections that Django's ORM opens there.
"""

from asgi_login.loader.loader import UserLoader, is_async_callable

__all__ = ["UserLoader", "is_async_callable"]

"""The credentials that are no tokens of ours, like an API key: where they travel, and who knows them.

Read `loader` first: it asks the application's function, and makes of its Grant what a request is checked with. `opaque`
is a credential on its way there, and the transport that finds it. `transports` are all that a manager has.
"""

from asgi_login.credentials.loader import CredentialLoader
from asgi_login.credentials.opaque import OpaqueCredential
from asgi_login.credentials.transports import Transports, original

__all__ = ["CredentialLoader", "OpaqueCredential", "Transports", "original"]

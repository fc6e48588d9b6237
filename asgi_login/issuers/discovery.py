"""Where an issuer publishes its keys: OpenID Connect Discovery 1.0 §4, or RFC 8414 §3.

The addresses themselves are checked here too: https, or plain http to this very machine in development.
"""

import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from asgi_login.issuers.fetch import FetchError

# Visible ASCII. `iss` is compared byte for byte, and has at most 255 characters.
_URL: Final = re.compile(r"[\x21-\x7e]{1,255}")
_DOCUMENT_URL: Final = re.compile(r"[\x21-\x7e]{1,2048}")


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Return where the metadata of an issuer may be: OpenID Connect's place, and that of RFC 8414 §3.1."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )


async def discover(issuer: str, get: Callable[[str], Awaitable[dict[str, object]]], *, insecure: bool) -> str:
    """Return the `jwks_uri` of an issuer.

    Args:
        issuer: Its URL.
        get: Returns the JSON object at a URL.
        insecure: Whether plain http is good enough for what is on this machine.

    Raises:
        FetchError: There is no metadata, or it is that of another issuer, or unsafe.
    """
    first, second = metadata_urls(issuer)
    try:
        metadata = await get(first)
    except FetchError as problem:
        if not problem.is_refusal:
            raise
        metadata = await get(second)
    # RFC 8414 §3.3: otherwise anybody whom the server lets write a document could speak for the issuer.
    if metadata.get("issuer") != issuer:
        raise FetchError(f"the metadata is that of {metadata.get('issuer')!r:.300}, and Issuer(url) must be the same")
    url = metadata.get("jwks_uri")
    if type(url) is not str or not is_safe_url(url, insecure=insecure):
        raise FetchError("the metadata has no jwks_uri with https")
    return url


def check_issuer(url: str, *, insecure: bool) -> None:
    """Validate the URL of an issuer.

    Raises:
        TypeError, ValueError: It is none (RFC 8414 §2), or unsafe.
    """
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"Issuer takes the URL of the issuer as a str, not {type(url).__name__}")
    parts = _parts(url) if _URL.fullmatch(url) else None
    if parts is None or "?" in url or "#" in url:
        raise ValueError(
            f"{url!r} is no issuer: write the `iss` of its tokens, like 'https://login.example.com', an absolute URL "
            "of at most 255 visible characters without user, query and fragment"
        )
    if "{" in url:
        raise ValueError(f"{url!r} is a template: write the issuer of one tenant, as it stands in `iss`")
    _check_scheme("the issuer", url, insecure=insecure)


def check_jwks_uri(url: str, *, insecure: bool) -> None:
    """Validate a `jwks_uri` that the application passes.

    Raises:
        TypeError, ValueError: It is none, or unsafe.
    """
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"jwks_uri is a str or None, not {type(url).__name__}")
    if not _DOCUMENT_URL.fullmatch(url) or _parts(url) is None:
        raise ValueError(f"jwks_uri {url!r}: write an absolute URL, like 'https://login.example.com/jwks.json'")
    _check_scheme("jwks_uri", url, insecure=insecure)


def _check_scheme(what: str, url: str, *, insecure: bool) -> None:
    if is_safe_url(url, insecure=insecure):
        return
    if insecure:
        raise ValueError(
            f"{what} {url!r}: plain http is for an issuer on this machine only, like http://localhost:8080"
        )
    raise ValueError(
        f"{what} {url!r}: without https, whoever is on the way signs your users' tokens; for an issuer on this machine "
        "there is Issuer.insecure_for_development(url)"
    )


def is_safe_url(url: str, *, insecure: bool) -> bool:
    """Tell whether keys may come from a URL: over https, or if `insecure` over plain http from this machine."""
    parts = _parts(url) if _DOCUMENT_URL.fullmatch(url) else None
    if parts is None:
        return False
    return parts.scheme == "https" or (insecure and parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an absolute URL without user, or None for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    usable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc and "\\" not in url
    return parts if usable and port != 0 else None


def _is_loopback(host: str) -> bool:
    # RFC 6761 §6.3.
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

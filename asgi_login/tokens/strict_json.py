"""Strict JSON for tokens: only texts that every parser reads the same way, parsed into read-only values.

json.loads accepts UTF-16, byte order marks, NaN, lone surrogates and duplicate members (the last wins). If two parsers
read such a text differently, one checks something else than the other acts on.
"""

import json
import math
from types import MappingProxyType
from typing import Final, NoReturn, cast

from asgi_login.errors import without_context

MAX_DEPTH: Final = 32


class InvalidJSON(ValueError):
    """The text is not a JSON object, or two parsers could read it differently. The message never quotes it."""


def parse_object(text: bytes) -> dict[str, object]:
    """Parse a JSON object into a new dict, read-only at every depth below: dicts as mapping proxies, lists as tuples.

    Raises:
        InvalidJSON: It is not strict UTF-8, not an object, nested deeper than 32, holds a duplicate member,
            NaN, an infinite number or a lone surrogate (RFC 8259, RFC 7493 §2, RFC 7515 §4).
    """
    try:
        string = text.decode().strip(" \t\n\r")
        value: object
        value, end = _DECODER.raw_decode(string)
        # Only an escape can produce a lone surrogate. If there is an escape, check that the value can be encoded.
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except InvalidJSON:
        raise
    except (ValueError, RecursionError):
        # The cause is dropped: JSONDecodeError and UnicodeDecodeError carry the whole text.
        raise without_context(InvalidJSON("not strict JSON")) from None
    if type(value) is not dict or end != len(string):
        raise InvalidJSON("not a JSON object")
    members = cast("dict[str, object]", value)
    # Nearly every token is flat, and has only the brace at its start.
    if text.count(b"{") + text.count(b"[") > 1:
        for name, member in members.items():
            members[name] = _frozen(member, MAX_DEPTH)
    return members


def thawed(value: object) -> dict[str, object]:
    """Return a mapping that `parse_object` made read-only, for `json.dumps(default=)`.

    Raises:
        TypeError: It is something else, which has no JSON form.
    """
    if not isinstance(value, MappingProxyType):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return dict(cast("MappingProxyType[str, object]", value))


def _frozen(value: object, depth: int) -> object:
    if depth == 0:
        raise InvalidJSON("nested too deeply")
    if type(value) is list:
        return tuple(_frozen(item, depth - 1) for item in cast("list[object]", value))
    if type(value) is dict:
        members = cast("dict[str, object]", value)
        return MappingProxyType({name: _frozen(member, depth - 1) for name, member in members.items()})
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJSON("an object with a member twice")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidJSON("number out of range")
    return number


def _no_constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)

"""JSON as tokens must write it: one reading only, and what was read can no longer be changed.

json.loads takes UTF-16, byte order marks, NaN, lone surrogates and duplicate members (the last wins);
where two parsers disagree about such a text, one of them has checked something else than the other acts on.
"""

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn, cast

MAX_DEPTH = 32


class InvalidJSON(ValueError):
    """The text is no JSON object, or one that can be read in two ways. The message never quotes it."""


def parse_object(text: bytes) -> Mapping[str, object]:
    """Parse a JSON object and return it read-only at every depth: dicts as mapping proxies, lists as tuples.

    Raises:
        InvalidJSON: It is not strict UTF-8, not an object, nested deeper than 32, holds a duplicate member,
            NaN, an infinite number or a lone surrogate (RFC 8259, RFC 7493 §2, RFC 7515 §4).

    """
    try:
        value: object = _DECODER.decode(text.decode())
        # A lone surrogate can only come out of an escape; where there is one, see whether it can be encoded.
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False, default=dict).encode()
    except (ValueError, RecursionError):
        # The cause is dropped: JSONDecodeError and UnicodeDecodeError carry the whole text.
        raise InvalidJSON("not strict JSON") from None
    if type(value) is not dict:
        raise InvalidJSON("not a JSON object")
    return _frozen_object(cast("dict[str, object]", value), MAX_DEPTH)


def _frozen_object(value: dict[str, object], depth: int) -> Mapping[str, object]:
    for name, member in value.items():
        if type(member) in _CONTAINERS:
            value[name] = _frozen(member, depth - 1)
    return MappingProxyType(value)


def _frozen(value: object, depth: int) -> object:
    if depth == 0:
        raise InvalidJSON("nested too deeply")
    if type(value) is dict:
        return _frozen_object(cast("dict[str, object]", value), depth)
    if type(value) is list:
        return tuple(_frozen(item, depth - 1) for item in cast("list[object]", value))
    return value


_CONTAINERS = (dict, list)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJSON("duplicate member")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidJSON("number out of range")
    return number


def _no_constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)

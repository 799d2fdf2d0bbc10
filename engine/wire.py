"""The exact JSON form of frozen dataclasses: a kind, then the fields. Nothing else turns values into JSON and back.

msgspec does the work: it knows dataclasses, checks types when it reads, and is faster than the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from engine.errors import TweetgenError

Value = TypeVar("Value")


# the last two: JSON nested too deeply, and a config that refuses the values that it was read with
_READING_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError, TweetgenError)


class WireError(ValueError):
    """A text is not the JSON form of any value that was expected."""


def encode(value: object, tag: str | None = None) -> str:
    """Return `value` as one line of JSON; with `tag`, its class's name stands first under that key."""
    fields = msgspec.to_builtins(value)
    return msgspec.json.encode({tag: type(value).__name__, **fields} if tag else fields).decode()


def decode(text: str | bytes, value_type: type[Value]) -> Value:
    """Return the value of `value_type` that `text` is the JSON form of. Raises `WireError`."""
    try:
        return msgspec.json.decode(text, type=value_type)
    except _READING_ERRORS as error:
        raise WireError(str(error)) from error


def decode_tagged(text: str | bytes, tag: str, types: Mapping[str, type[Value]]) -> Value:
    """Return the value of that one of `types` which `text` names under the key `tag`. Raises `WireError`."""
    fields = decode(text, dict[str, Any])
    kind = fields.pop(tag, None)
    if not isinstance(kind, str) or kind not in types:
        raise WireError(f"no {tag} is called {kind!r}")
    try:
        return msgspec.convert(fields, types[kind])
    except _READING_ERRORS as error:
        raise WireError(f"{kind}: {error}") from error


def pretty(value: object) -> str:
    """Return the JSON form of `value`, indented for people."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"

"""The exact JSON form of frozen dataclasses: a tag with the class name, then the fields.

msgspec does the work: it supports dataclasses, checks types when it decodes, and is faster than the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from engine.errors import TweetgenError

Value = TypeVar("Value")
LARGEST = 1e39
"""Beyond every float32; sums and squares of such numbers still fit a float64."""

# the last two: JSON nested too deeply, and a config that refuses its values
_DECODING_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError, TweetgenError)


class DecodeError(ValueError):
    """The text is not JSON, or does not fit the expected type."""


def encode(value: object, tag: str | None = None) -> str:
    """Return `value` as one line of JSON; with `tag`, the name of its class comes first under that key."""
    fields = msgspec.to_builtins(value)
    return msgspec.json.encode({tag: type(value).__name__, **fields} if tag else fields).decode()


def decode(text: str | bytes, value_type: type[Value]) -> Value:
    """Return the value of `value_type` that `text` encodes. Raises `DecodeError`."""
    try:
        return msgspec.json.decode(text, type=value_type)
    except _DECODING_ERRORS as error:
        raise DecodeError(str(error)) from error


def decode_tagged(
    text: str | bytes, tag: str, types: Mapping[str, type[Value]], change: Callable[[str], str] | None = None
) -> Value:
    """Return the value of the type that `text` names under the key `tag`, one of `types`. Raises `DecodeError`.

    `change` is applied to every string in it.
    """
    fields = decode(text, dict[str, Any])
    kind = fields.pop(tag, None)
    if not isinstance(kind, str) or kind not in types:
        raise DecodeError(f"unknown {tag} {kind!r}")
    try:
        if not _is_bounded(fields):
            raise DecodeError(f"{kind}: a number is out of range")
        return msgspec.convert(fields if change is None else with_strings_changed(fields, change), types[kind])
    except DecodeError:
        raise
    except _DECODING_ERRORS as error:
        raise DecodeError(f"{kind}: {error}") from error


def with_strings_changed(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - a JSON value
    """Return a JSON value with `change` applied to each string but field names, and strings in a list of numbers."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: with_strings_changed(each, change) for name, each in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], int | float):
        return [with_strings_changed(each, change) for each in value]
    return value  # also a list that begins with a number: no type mixes numbers with anything else


def _is_bounded(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    """Return whether all integers fit 64 bits and all floats are in the range of float32."""
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, float):
        return abs(value) <= LARGEST
    if isinstance(value, dict):
        return all(map(_is_bounded, value.values()))
    return not isinstance(value, list) or all(map(_is_bounded, value))


def pretty(value: object) -> str:
    """Return the JSON form of `value`, indented for human readers."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"

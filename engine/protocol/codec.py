"""The exact JSON form of frozen dataclasses: a kind, then the fields. Nothing else turns values into JSON and back.

msgspec does the work: it knows dataclasses, checks types when it reads, and is faster than the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from engine.errors import TweetgenError

Value = TypeVar("Value")
LARGEST = 1e39
"""Beyond every number of 32 bits; sums and squares of such numbers still have a float."""


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


def decode_tagged(
    text: str | bytes, tag: str, types: Mapping[str, type[Value]], change: Callable[[str], str] | None = None
) -> Value:
    """Return the value of that one of `types` which `text` names under the key `tag`. Raises `WireError`.

    `change` makes of each string in it what it is to be.
    """
    fields = decode(text, dict[str, Any])
    kind = fields.pop(tag, None)
    if not isinstance(kind, str) or kind not in types:
        raise WireError(f"no {tag} is called {kind!r}")
    try:
        if not _is_bounded(fields):
            raise WireError(f"{kind}: a number is out of range")
        return msgspec.convert(fields if change is None else with_strings_changed(fields, change), types[kind])
    except WireError:
        raise
    except _READING_ERRORS as error:
        raise WireError(f"{kind}: {error}") from error


def with_strings_changed(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - a JSON value
    """Return a value with each string in it changed, but for the names of fields, and strings in a list of numbers."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: with_strings_changed(each, change) for name, each in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], int | float):
        return [with_strings_changed(each, change) for each in value]
    return value  # also a list that begins with a number: no type has one with anything else in it


def _is_bounded(value: Any) -> bool:  # noqa: ANN401 - a JSON value
    """Say whether all numbers in a value have 64 bits, or are float32's: those of no event or command have more."""
    if isinstance(value, int):
        return abs(value) < 2**63
    if isinstance(value, float):
        return abs(value) <= LARGEST
    if isinstance(value, dict):
        return all(map(_is_bounded, value.values()))
    return not isinstance(value, list) or all(map(_is_bounded, value))


def pretty(value: object) -> str:
    """Return the JSON form of `value`, indented for people."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"

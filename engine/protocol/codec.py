"""The exact JSON form of dataclasses and of tagged structs, whose first field is the name of their class.

msgspec does the work: it checks types and bounds as it decodes, and is faster than the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, TypeVar, Union, cast

import msgspec

from engine.errors import TweetgenError

Value = TypeVar("Value")
_Tagged = TypeVar("_Tagged", bound=msgspec.Struct)
LARGEST = 1e39
"""Beyond every float32; sums and squares of such numbers still fit a float64."""
# bounds that decoding checks: a journal may have been edited, a peer may be anyone, and arrays are allocated from them
Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
StepNumber = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Number = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e18)]
SettingName = Annotated[str, msgspec.Meta(pattern=r"\A[a-z_]{1,40}\Z")]
Settings = Annotated[
    dict[SettingName, bool | Integer | Number | str | tuple[str, ...] | None], msgspec.Meta(max_length=64)
]
"""Settings by name; `engine.config.fields.with_settings` checks the values."""

# the last two: JSON nested too deeply, and a config that refuses its values
_DECODING_ERRORS = (msgspec.MsgspecError, ValueError, RecursionError, TweetgenError)


class DecodeError(ValueError):
    """The text is not JSON, or does not fit the expected type."""


def encode(value: object) -> str:
    """Return `value` as one line of JSON."""
    return msgspec.json.encode(value).decode()


def decode(text: str | bytes, value_type: type[Value]) -> Value:
    """Return the value of `value_type` that `text` encodes. Raises `DecodeError`."""
    try:
        return msgspec.json.decode(text, type=value_type)
    except _DECODING_ERRORS as error:
        raise DecodeError(str(error)) from error


def decode_tagged(text: str | bytes, base: type[_Tagged], change: Callable[[str], str] | None = None) -> _Tagged:
    """Return the struct that `text` encodes, of the class derived from `base` that it names. Raises `DecodeError`.

    `change` is applied to every string in it. Without, the text is decoded in one go.
    """
    kinds, decoder = _kinds_of(base)
    if change is None:
        try:
            return cast("_Tagged", decoder.decode(text))
        except _DECODING_ERRORS:
            pass  # decoded again below, for an error that names the class
    fields = decode(text, dict[str, Any])
    tag = base.__struct_config__.tag_field or ""
    kind = fields.get(tag)
    if not isinstance(kind, str) or kind not in kinds:
        raise DecodeError(f"unknown {tag} {kind!r}")
    try:
        return cast(
            "_Tagged", msgspec.convert(_with_strings_changed(fields, change) if change else fields, kinds[kind])
        )
    except _DECODING_ERRORS as error:
        raise DecodeError(f"{kind}: {error}") from error


def kinds_of(base: type[Value]) -> tuple[type[Value], ...]:
    """Return the classes derived from `base` that have no derived class themselves, in the order of their definition.

    Classes in the module of `base` come first.
    """
    children = base.__subclasses__()
    return tuple(kind for child in children for kind in kinds_of(child)) if children else (base,)


@cache
def _kinds_of(base: type[_Tagged]) -> tuple[dict[str, type[_Tagged]], msgspec.json.Decoder[_Tagged]]:
    """Return the classes derived from `base` by their tags, and a decoder of all of them."""
    kinds = kinds_of(base)
    union: Any = Union[kinds]  # noqa: UP007 - of classes that are known at run time only
    return {kind.__name__: kind for kind in kinds}, msgspec.json.Decoder(union)


def _with_strings_changed(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - a JSON value
    """Return a JSON value with `change` applied to each string but field names, and strings in a list of numbers."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _with_strings_changed(each, change) for name, each in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], int | float):
        return [_with_strings_changed(each, change) for each in value]
    return value  # also a list that begins with a number: no type mixes numbers with anything else


def pretty(value: object) -> str:
    """Return the JSON form of `value`, indented for human readers."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"

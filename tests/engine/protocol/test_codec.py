"""The JSON form of dataclasses: tagged, checked when decoded, with one kind of error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocol import codec


@dataclass(frozen=True, kw_only=True)
class Cat:
    name: str
    lives: int = 9


@dataclass(frozen=True, kw_only=True)
class Dog:
    name: str


KINDS: dict[str, type[Cat | Dog]] = {"Cat": Cat, "Dog": Dog}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "name", "x"]), inner),
    max_leaves=8,
)


def test_the_error_names_the_unknown_kind() -> None:
    with pytest.raises(codec.DecodeError, match="unknown kind 'Cow'"):
        codec.decode_tagged('{"kind":"Cow","name":"Elsie"}', "kind", KINDS)


def test_the_error_names_the_kind_and_the_field() -> None:
    with pytest.raises(codec.DecodeError, match=r"Cat: .*lives"):
        codec.decode_tagged('{"kind":"Cat","name":"Tom","lives":"many"}', "kind", KINDS)


@given(value=JSON_VALUES)
def test_any_json_is_decoded_or_refused(value: Any) -> None:
    try:
        read = codec.decode_tagged(json.dumps(value), "kind", KINDS)
    except codec.DecodeError:
        return
    assert isinstance(read, Cat | Dog)

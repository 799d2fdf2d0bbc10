"""Dotted paths into JSON: what they lead to, and how they are found. The property tests try 300 values of any shape."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.corpus.readers.json_paths import Missing, array_paths, has_text_at, shown_paths, values_at

KEYS = st.sampled_from(["text", "posts", "data", "post", "a.b", "0", "", "id"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", ["one", "two", "three"]),
        ("b.c", ["x", "y"]),
        ("b.0.c", ["x"]),
        ("b.1.c", []),
        ("b.9.c", [Missing([])]),
        ("d.e", ["dots"]),
        ("f.d.e", ["more dots"]),
        ("f.g", [Missing({"d.e": "more dots"})]),
        ("a.x", [Missing("one"), Missing("two"), Missing("three")]),
        ("empty", []),
    ],
)
def test_a_path_goes_through_arrays_and_keys_with_dots(path: str, expected: list[object]) -> None:
    value = {
        "a": ["one", ["two", ["three"]]],
        "b": [{"c": "x"}, [], {"c": "y"}],
        "d.e": "dots",
        "f": {"d.e": "more dots"},
        "empty": [],
    }
    assert [each if not path.startswith("b.") else plain(each) for each in values_at(value, path)] == expected


def plain(each: object) -> object:
    """Return a value, or that something is missing, whatever is beside it."""
    return Missing([]) if isinstance(each, Missing) else each


def test_texts_that_could_be_meant_are_shown_the_longest_first() -> None:
    value = {"id": "7", "posts": [{"by": "mia", "shout": "hello there"}, {"by": "tom"}], "n": 5}
    assert shown_paths(value) == "posts.shout, posts.by, id"
    assert shown_paths([5, {}]) == ""


@settings(max_examples=150)
@given(value=VALUES)
def test_every_path_that_is_found_leads_to_a_text(value: object) -> None:
    shown = shown_paths(value)
    for path in [*array_paths({"x": value}), *(f"x.{path}" for path in shown.split(", ") if path)]:
        assert has_text_at({"x": value}, path)

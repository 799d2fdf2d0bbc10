"""Any value of the wrong kind, anywhere in a file of JSON, is read or dropped, and never ends in a crash."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.corpus.reading import Case, read, recorded_cases, texts_of

WRONG: list[object] = [None, True, 5, -1e99, "x", [], {}, [[]], [None, 5], {"a": [5]}, [{"type": ["x"]}]]


def places(value: object) -> Iterator[tuple[object, ...]]:
    """Yield the path of every value inside."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (key,)
        for rest in places(inner):
            yield (key, *rest)


def replaced(value: Any, path: tuple[object, ...], new: object) -> Any:
    """Return a copy with another value at a path."""
    whole = copy.deepcopy(value)
    parent = whole
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = new
    return whole


@recorded_cases("values")
@pytest.mark.parametrize("more", [{}, {"no_replies": True, "no_sensitive": True, "keep_links": True}])
def test_a_value_of_the_wrong_kind_is_no_crash(case: Case, more: dict[str, Any]) -> None:
    (options,) = case.options
    sample = json.loads(case.files["a.json"])
    start = "window.YTD.tweets.part0 = " if options["format"] == "x" else ""
    plain = f"{start}{json.dumps(sample)}\n"
    after = plain if options["format"] == "jsonl" else ""
    assert texts_of({"a.json": plain + after}, **options)
    for path in places(sample):
        for wrong in WRONG:
            content = f"{start}{json.dumps(replaced(sample, path, wrong))}\n{after}"
            read({"a.json": content}, no_retweets=bool(more), **options, **more)

"""Any value of the wrong kind, anywhere in a file of JSON, is read or dropped, and never ends in a crash."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.ingest.formats import FORMATS
from engine.corpus.types import DroppedRow, Member, Row, Source
from engine.errors import CorpusError
from tests.engine.corpus.reading import Case, recorded_cases

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


def rows_of(content: str, config: CorpusConfig) -> list[Row]:
    """Return the rows that the reader yields, or none if it raises an error."""
    members = [Member("a.json", lambda: io.BytesIO(content.encode()))]
    try:
        return list(FORMATS[config.format].reader(members, Source("a.json", config.format), config))
    except CorpusError:
        return []


@recorded_cases("values")
@pytest.mark.parametrize("more", [{}, {"no_replies": True, "no_sensitive": True, "keep_links": True}])
def test_a_value_of_the_wrong_kind_is_no_crash(case: Case, more: dict[str, Any]) -> None:
    (options,) = case.options
    config = CorpusConfig(**options, **more, no_retweets=bool(more))
    sample = json.loads(case.files["a.json"])
    start = "window.YTD.tweets.part0 = " if config.format == "x" else ""
    plain = f"{start}{json.dumps(sample)}\n"
    after = plain if config.format == "jsonl" else ""
    assert any(isinstance(row, str) for row in rows_of(plain + after, CorpusConfig(**options)))
    for path in places(sample):
        for wrong in WRONG:
            rows = rows_of(f"{start}{json.dumps(replaced(sample, path, wrong))}\n{after}", config)
            assert all(isinstance(row, str | DroppedRow) for row in rows)

"""JSON documents are read item by item, and the array of texts is detected. `tests.fuzz` tries damaged ones."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.json_files import json_stream
from engine.corpus.readers.json_files.json_rows import json_rows, looks_like
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError

OBJECTS = [{"text": "one", "id": 1}, {"text": "two ü", "id": 2}]


def rows_of(content: object, column: str | None = None) -> tuple[list[Row], list[str]]:
    source = Source("a.json", "json")
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return list(json_rows(io.BytesIO(data), source, CorpusConfig(column=column))), source.notes


def error_of(content: object, column: str | None = None) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        rows_of(content, column)
    return caught.value


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_of_objects_yields_their_texts(indent: int | None) -> None:
    rows, notes = rows_of(json.dumps(OBJECTS, indent=indent).encode("utf-8-sig"))
    assert rows == ["one", "two ü"]
    assert notes == ["texts under text"]


def test_an_array_of_strings_yields_them() -> None:
    assert rows_of(["one", "two", 3])[0] == ["one", "two", DroppedRow("not a text", "item 3: 3")]


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"meta": {"count": 2, "tags": ["a", "b"]}, "tweets": OBJECTS, "more": [{"text": "no"}]}, "tweets.text"),
        ({"includes": {"users": [{"name": "mia"}]}, "data": {"tweets": OBJECTS}}, "data.tweets.text"),
        ({"@context": ["text", {"text": {}}], "tweets": ["one", "two ü"]}, "tweets"),
        ({"a": {"b": {"c": [[{"post": each}] for each in OBJECTS]}}}, "a.b.c.post.text"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_only_array_of_texts_in_a_document_is_detected_and_noted(
    content: dict[str, Any], path: str, indent: int | None
) -> None:
    data = json.dumps(content, indent=indent).encode()
    assert looks_like(data)
    assert rows_of(data) == (["one", "two ü"], [f"texts under {path}"])
    assert rows_of(data, path) == (["one", "two ü"], [])


def test_in_a_document_too_long_to_examine_the_first_array_of_texts_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARS", 2000)
    monkeypatch.setattr(json_stream, "_BLOCK_BYTES", 500)
    posts = [{"post": {"text": f"number {number}"}} for number in range(1000)]
    content = {"owner": {"names": [{"first": "mia"}]}, "export": {"posts": posts}}
    expected = [post["post"]["text"] for post in posts]
    assert rows_of(content) == (expected, ["texts under export.posts.post.text"])
    assert rows_of(content, "export.posts.post.text") == (expected, [])
    assert rows_of(content, "post.text") == (expected, [])
    assert "has no texts under post.words" in error_of({"a": [5] * 9000}, "post.words").message


def test_a_too_large_value_is_refused_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARS", 2000)
    monkeypatch.setattr(json_stream, "_BLOCK_BYTES", 500)
    file = io.BytesIO(b'["' + b"x" * 100_000 + b'"]')
    with pytest.raises(CorpusError, match="has a value of over"):
        list(json_rows(file, Source("a.json", "json"), CorpusConfig()))
    assert file.tell() < 10_000


@pytest.mark.parametrize("column", ["posts.post.text", "post.text"])
def test_a_column_leads_from_the_document_or_from_an_item(column: str) -> None:
    content = {"tags": [{"id": 1}], "posts": [{"post": {"text": "one"}}, {"id": 2}, {"post": {"text": "two"}}]}
    rows, _ = rows_of(content, column)
    assert [row if isinstance(row, str) else row.reason for row in rows] == ["one", "no posts.post.text", "two"]


@pytest.mark.parametrize("content", [{"text": "hi", "entities": {"tags": [{"text": "x"}]}}, {"post": {"text": "hi"}}])
def test_a_document_may_be_one_post(content: dict[str, Any]) -> None:
    assert rows_of(content)[0] == ["hi"]
    with pytest.raises(CorpusError, match="there is data after"):
        rows_of(json.dumps(content, indent=2).encode() * 2)


def test_several_arrays_of_texts_are_an_error() -> None:
    error = error_of({"mine": OBJECTS, "theirs": [{"body": "x"}]})
    assert error.message == "a.json has several arrays of texts."
    assert error.hint == "Choose one with --column: mine.text or theirs.body."
    assert "a.mine.text or a.theirs.text" in error_of([{"a": {"mine": OBJECTS, "theirs": OBJECTS}}]).hint


@pytest.mark.parametrize("column", [None, "shout", "export.shout"])
def test_the_error_without_texts_lists_the_paths_of_strings(column: str | None) -> None:
    error = error_of({"export": {"by": "mia", "posts": [{"post": {"shout": "hello there", "n": 1}}]}}, column)
    assert "export.posts.post.shout, export.by" in error.hint
    assert column is None or f"no texts under {column}" in error.message


@pytest.mark.parametrize("content", [{}, {"a": [1, 2]}, {"users": [{"name": "mia"}]}, 5, "hello", b"{}"])
def test_json_without_an_array_of_tweets_is_an_error(content: object) -> None:
    assert "has no array of tweets" in error_of(content).message


def test_objects_without_a_known_key_are_an_error() -> None:
    error = error_of([{"id": "1", "post": {"words": ["hello"]}}])
    assert "no known key" in error.message
    assert "post.words, id" in error.hint


# Damage ---------------------------------------------------------------------------------------------------------------


def test_items_before_the_damage_are_read_and_its_line_is_reported() -> None:
    data = b'[\n{"text": "one"},\n{"text": "two"},\n{"text": oops}\n]'
    rows = json_rows(io.BytesIO(data), Source("a.json", "json"), CorpusConfig())
    assert [next(rows), next(rows)] == ["one", "two"]
    with pytest.raises(CorpusError, match=r"a\.json is not valid JSON near line 4 \(character 46\)"):
        next(rows)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'[{"text": "a"},',
        b"[1,]",
        b'["a"] more',
        b"nonsense",
    ],
)
def test_an_invalid_or_truncated_file_is_an_error(data: bytes) -> None:
    assert "not valid JSON" in error_of(data).message


@pytest.mark.parametrize("bracket", [b"[", b'{"a":', b'[{"text":'])
def test_deep_nesting_is_an_error(bracket: bytes) -> None:
    assert "too deep" in error_of(b"[" + bracket * 100_000).message


def test_a_byte_that_is_not_utf_8_is_read_as_windows_1252() -> None:
    rows, notes = rows_of(b'["caf\xe9", "\xc3\xbc"]')
    assert rows == ["café", "ü"]
    assert notes == ["1 character read as Windows-1252"]


def test_characters_and_numbers_across_a_block_boundary_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ["ü€😀", "x" * 40]
    data = json.dumps([*expected, 123456], ensure_ascii=False).encode()
    for size in range(1, 40):
        monkeypatch.setattr(json_stream, "_BLOCK_BYTES", size)
        assert rows_of(data)[0] == [*expected, DroppedRow("not a text", "item 3: 123456")]

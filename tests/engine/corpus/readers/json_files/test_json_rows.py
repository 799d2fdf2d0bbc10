"""JSON documents are read item by item, and the array of texts is detected. `tests.fuzz` tries damaged ones."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.json_files import json_window
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


@pytest.mark.parametrize("key", ["msg", "quoteText", "tweetText", "headline", "lyrics"])
def test_an_unusual_key_of_texts_is_detected(key: str) -> None:
    objects = [{"id": "a1", key: "one", "author": "mia"}, {"id": "b2", key: "two ü", "author": "tom"}]
    assert rows_of(objects) == (["one", "two ü"], [f"texts under {key}"])


def test_objects_without_a_text_have_no_key_to_choose() -> None:
    error = error_of([{"lat": 3.5, "lng": 7, "count": 2}] * 3)
    assert error.message == "a.json has no texts: its first object has lat, lng, count, none of which is a text."


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
    monkeypatch.setattr(json_window, "MAX_VALUE_CHARS", 2000)
    monkeypatch.setattr(json_window, "_BLOCK_BYTES", 500)
    posts = [{"post": {"text": f"number {number}"}} for number in range(1000)]
    content = {"owner": {"names": [{"first": "mia"}]}, "export": {"posts": posts}}
    expected = [post["post"]["text"] for post in posts]
    assert rows_of(content) == (expected, ["texts under export.posts.post.text"])
    assert rows_of(content, "export.posts.post.text") == (expected, [])
    assert rows_of(content, "post.text") == (expected, [])
    assert "has no texts under post.words" in error_of({"a": [5] * 9000}, "post.words").message


def test_a_too_large_value_is_refused_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_window, "MAX_VALUE_CHARS", 2000)
    monkeypatch.setattr(json_window, "_BLOCK_BYTES", 500)
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


@pytest.mark.parametrize("is_long", [False, True])
def test_what_posts_refer_to_is_not_read_in_their_place(*, is_long: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if is_long:
        monkeypatch.setattr(json_window, "MAX_VALUE_CHARS", 200)
        monkeypatch.setattr(json_window, "_BLOCK_BYTES", 50)
    others = [{"id": str(number), "text": "another's"} for number in range(30)]
    assert "has no array of tweets" in error_of({"includes": {"tweets": others}, "errors": [{"title": "gone"}]}).message
    if not is_long:
        tweet = {"id": 1, "words": "mine", "entities": {"hashtags": [{"text": "tag"}]}, "quoted_status": others[0]}
        assert "no known key" in error_of([tweet, tweet]).message


def test_objects_without_a_known_key_are_an_error() -> None:
    error = error_of([{"id": "1", "post": {"words": ["hello"]}}])
    assert "no known key" in error.message
    assert "post.words, id" in error.hint


# Objects by id, tables, values after one another ----------------------------------------------------------------------


@pytest.mark.parametrize("keys", [("1467810369", "1467810672"), ("-1", "2.5"), ("-NxAb", "-NxAc", "-NxAd")])
@pytest.mark.parametrize("column", [None, "text"])
def test_the_values_of_an_object_by_id_are_items(keys: tuple[str, ...], column: str | None) -> None:
    posts = {key: {"text": f"number {key}", "user": {"name": "mia"}} for key in keys}
    expected = [f"number {key}" for key in keys]
    assert rows_of(posts, column) == (expected, [] if column else ["texts under text"])
    assert rows_of({"users": {"7": {"name": "mia"}}, "tweets": posts})[0] == expected
    assert rows_of([posts, posts])[0] == expected * 2


def test_posts_beside_rows_of_a_table_are_found_wherever_they_are() -> None:
    content = {"data": [["1", "a"], ["2", "b"]], "tweets": OBJECTS}
    assert rows_of(content) == (["one", "two ü"], ["texts under tweets.text"])


def test_strings_by_id_are_texts() -> None:
    assert rows_of({"17": "one", "18": "two"}) == (["one", "two"], ["texts are the values of ids"])


def test_a_wrapper_of_a_few_objects_is_not_an_object_by_id() -> None:
    content = {"user": {"id": 1, "text": "no"}, "post": {"id": 2, "text": "yes"}, "place": {"id": 3, "text": "no"}}
    assert rows_of([content])[0] == ["yes"]


NAMELESS = ["one day", "two days", "and a third"]
FRAMES = {
    "columns": {"id": {"0": 7, "1": 8}, "url": {"0": "http://a.b/cdefghij", "1": ""}, "text": {"0": "one", "1": "two"}},
    "columns of another index": {"text": {"a": "one", "b": "two"}, "id": {"a": 7, "b": 8}},
    "a single column": {"text": {"0": "one", "1": "two"}},
    "index": {"0": {"id": 7, "text": "one"}, "1": {"id": 8, "text": "two"}},
    "split": {"columns": ["id", "url", "text"], "index": [0, 1], "data": [[7, None, "one"], [8, "", "two"]]},
    "records": [{"id": 7, "text": "one"}, {"id": 8, "text": "two"}],
    "values": [[7, None, "one"], [8, "http://a.b/cdefghij", "two"]],
    "values and a header": [["id", "text"], [7, "one"], [8, "two"]],
    "table": {
        "schema": {
            "fields": [{"name": "index", "type": "integer"}, {"name": "text", "type": "string"}],
            "primaryKey": ["index"],
            "pandas_version": "1.4.0",
        },
        "data": [{"index": 0, "text": "one"}, {"index": 1, "text": "two"}],
    },
    "cells of Google Sheets": {
        "range": "A1:B3",
        "majorDimension": "ROWS",
        "values": [["id", "text"], ["7", "one"], ["8", "two"]],
    },
    "columns without names": {
        "0": {"0": "x1a2", "1": "x1a3", "2": "x1a4"},
        "5": {"0": "one day", "1": "two days", "2": "and a third"},
    },
    "index without names": {str(n): {"0": f"x1a{n}", "5": text} for n, text in enumerate(NAMELESS)},
    "records without names": [{"0": f"x1a{n}", "5": text} for n, text in enumerate(NAMELESS)],
    "a list per column": {"text": ["one", "two"], "target": [4, 4]},
}


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_table_that_pandas_wrote_is_read_in_every_orient(name: str, indent: int | None) -> None:
    rows, notes = rows_of(json.dumps(FRAMES[name], indent=indent).encode())
    assert rows == (NAMELESS if name.endswith("without names") else ["one", "two"])
    assert any(note.startswith("text") for note in notes) or name == "a single column"


@pytest.mark.parametrize(
    ("name", "column"), [("split", "url"), ("split", "2"), ("values", "2"), ("columns", "url"), ("columns", "2")]
)
def test_a_column_of_a_table_is_chosen_by_its_name_or_its_number_from_one(name: str, column: str) -> None:
    assert "http://a.b/cdefghij" in rows_of(FRAMES[name], column)[0] or name == "split"
    assert len(rows_of(FRAMES[name], column)[0]) == 2


def test_the_key_of_a_column_without_a_name_comes_before_its_number() -> None:
    records = FRAMES["records without names"]
    assert rows_of(records, "5")[0] == rows_of(records, "2")[0] == NAMELESS


def test_labels_of_a_table_are_used_as_in_csv() -> None:
    frame = {"target": {"0": 0, "1": 4}, "text": {"0": "a bad day", "1": "a good day"}}
    rows, notes = rows_of(frame)
    assert [row for row in rows if isinstance(row, str)] == ["a good day"]
    assert any(note.startswith("labels in column 1 (target)") for note in notes)


@pytest.mark.parametrize("name", ["columns", "index", "split"])
def test_a_table_too_long_to_examine_is_read_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_window, "MAX_VALUE_CHARS", 2000)
    monkeypatch.setattr(json_window, "_BLOCK_BYTES", 500)
    texts = [f"number {number}" for number in range(1000)]
    frames = {
        "columns": {
            "id": dict.fromkeys(map(str, range(1000)), 5),
            "text": {str(n): text for n, text in enumerate(texts)},
        },
        "index": {str(number): {"id": 5, "text": text} for number, text in enumerate(texts)},
        "split": {"columns": ["id", "text"], "index": list(range(1000)), "data": [[5, text] for text in texts]},
    }
    assert rows_of(frames[name])[0] == texts
    assert rows_of(frames[name], "text")[0] == texts


def test_arrays_of_numbers_are_an_error_that_asks_for_the_place_of_the_text() -> None:
    error = error_of([[1, 2], [3, 4]])
    assert error.message == "a.json has no texts: its items are arrays, the first of them [1, 2]."
    assert "--column 1" in error.hint


@pytest.mark.parametrize("between", ["", "\n", " ", "\n\n"])
@pytest.mark.parametrize("indent", [None, 2])
def test_values_that_follow_one_another_are_all_read(between: str, indent: int | None) -> None:
    values = [{"delete": {"status": {"id": 1}}}, *OBJECTS, {"text": "three"}]
    data = between.join(json.dumps(value, indent=indent) for value in values).encode()
    rows, notes = rows_of(data)
    assert rows == [DroppedRow("no text", "value 1: it has delete"), "one", "two ü", "three"]
    assert notes == ["texts under text"]


@pytest.mark.parametrize("indent", [None, 2])
def test_documents_with_nested_arrays_that_follow_one_another_are_all_read(indent: int | None) -> None:
    pages = [{"data": [{"text": f"{page} {number}"} for number in range(3)]} for page in range(2)]
    data = "\n".join(json.dumps(page, indent=indent) for page in pages).encode()
    assert rows_of(data)[0] == ["0 0", "0 1", "0 2", "1 0", "1 1", "1 2"]
    assert rows_of(b'["one"]\n["two", "three"]')[0] == ["one", "two", "three"]


def test_damage_after_a_nested_array_is_an_error() -> None:
    assert "not valid JSON" in error_of(b'{"data": [{"text": "one"}], "meta": {"count"').message
    assert "not valid JSON" in error_of(b'{"data": [{"text": "one"}]}]').message


def test_the_error_of_damage_between_several_values_names_the_format_that_leaves_it_out() -> None:
    error = error_of(b'{"text": "one"}\n{"text": oops}\n{"text": "two"}')
    assert "near line 2" in error.message
    assert "--format jsonl" in error.hint


# Damage ---------------------------------------------------------------------------------------------------------------


def test_items_before_the_damage_are_read_and_its_line_is_reported() -> None:
    data = b"[\n" + b'{"text": "one"},\n' * 1500 + b'{"text": oops}\n]'
    rows = json_rows(io.BytesIO(data), Source("a.json", "json"), CorpusConfig())
    assert [next(rows) for _ in range(1500)] == ["one"] * 1500
    with pytest.raises(CorpusError, match=r"a\.json is not valid JSON near line 1,502 \(character 25,512\)"):
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


def test_the_error_of_a_line_break_in_a_string_ends_as_a_sentence() -> None:
    assert error_of(b'["a", "b\nc"]').message.endswith("near line 1 (character 9): Invalid control character.")


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
        monkeypatch.setattr(json_window, "_BLOCK_BYTES", size)
        assert rows_of(data)[0] == [*expected, DroppedRow("not a text", "item 3: 123456")]

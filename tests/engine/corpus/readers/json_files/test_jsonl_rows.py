"""JSON Lines: every line is a row or a dropped row. `tests.fuzz` tries arbitrary bytes."""

from __future__ import annotations

import io
import json

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.json_files.jsonl_rows import MAX_LINE_BYTES, jsonl_rows
from engine.corpus.types import DroppedRow, Row, Source


def rows_of(content: str | bytes, column: str | None = None) -> tuple[list[Row], list[str]]:
    source = Source("a.jsonl", "jsonl")
    data = content.encode() if isinstance(content, str) else content
    return list(jsonl_rows(io.BytesIO(data), source, CorpusConfig(column=column))), source.notes


def reason_of(line: str) -> str:
    (row,) = rows_of(line, column="text")[0]
    assert isinstance(row, DroppedRow)
    assert row.example.startswith("line 1: ")
    assert len(row.example) <= 120
    return row.reason


@pytest.mark.parametrize("key", ["text", "tweet", "full_text", "content", "body", "tweet.full_text", "data.text"])
def test_a_known_key_of_the_first_object_is_detected_and_noted(key: str) -> None:
    value: object = "hello"
    for part in reversed(key.split(".")):
        value = {"id": 1, part: value}
    rows, notes = rows_of(f"{json.dumps(value)}\n" * 2)
    assert rows == ["hello", "hello"]
    assert notes == [f"texts under {key}"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("data.2.body", {"data": [{"body": "no"}, {"body": "yes"}]}),
        ("data.body", {"data.body": "yes", "data": {"body": "no"}}),
        ("2", ["no", "yes"]),
    ],
)
def test_a_column_is_a_key_or_a_dotted_path(column: str, value: object) -> None:
    assert rows_of(json.dumps(value), column)[0] == ["yes"]


def test_a_number_in_a_path_counts_from_one() -> None:
    assert [row.reason for row in rows_of('["no", "yes"]', "0")[0] if isinstance(row, DroppedRow)] == ["no 0"]
    assert rows_of('["yes", "no"]', "1")[0] == ["yes"]


def test_a_page_of_several_megabytes_on_one_line_is_read() -> None:
    page = {"data": [{"text": f"number {number}", "entities": "x" * 10_000} for number in range(500)]}
    lines = f"{json.dumps(page)}\n" * 2
    assert len(lines) > 10_000_000
    assert rows_of(lines) == ([f"number {number}" for number in range(500)] * 2, ["texts under data.text"])


def test_a_column_descends_into_every_item_of_an_array() -> None:
    lines = [{"posts": [{"text": "one"}, {"id": 1}, {"text": ["two", "three"]}]}, {"posts": []}]
    content = "\n".join(map(json.dumps, lines))
    expected = ["one", DroppedRow("no posts.text", "line 1: it has id"), "two", "three"]
    rows, notes = rows_of(content)
    assert rows[:-1] == rows_of(content, "posts.text")[0][:-1] == expected
    assert [row.reason for row in rows[-1:] if isinstance(row, DroppedRow)] == ["no posts.text"]
    assert notes == ["texts under posts.text"]


def test_a_row_without_the_key_shows_which_texts_it_has() -> None:
    (row,) = rows_of('{"id": "7", "export": {"posts": [{"text": "hello"}]}}', "post")[0]
    assert row == DroppedRow("no post", "line 1: it has export.posts.text, id")


def test_strings_are_tweets_and_blank_lines_are_nothing() -> None:
    assert rows_of('"hello"\n\n  \r\n"bye"')[0] == ["hello", "bye"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "torn', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"id": 1}', "no text"),
        ('{"text": null}', "not a text"),
        ('{"text": []}', "no text"),
        ("1" * 5000, "not a text"),
        (json.dumps({"text": "x" * MAX_LINE_BYTES}), "with a line over 16 MB"),
    ],
    ids=lambda value: value[:20],
)
def test_a_line_without_a_tweet_is_a_drop_by_its_reason(line: str, reason: str) -> None:
    assert reason_of(line) == reason
    between = rows_of(f'{{"text": "one"}}\n{line}\n{{"text": "two"}}')[0]
    assert [row if isinstance(row, str) else row.reason for row in between] == ["one", reason, "two"]


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1" * 5000, "1e999999", "-0.0"])
def test_a_number_of_any_kind_does_not_cost_the_tweet_beside_it(number: str) -> None:
    assert rows_of(f'{{"n": {number}, "text": "hello"}}')[0] == ["hello"]

"""JSON Lines: every line is a row or a dropped row. `tests.fuzz` tries arbitrary bytes."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.json_files.jsonl_rows import MAX_LINE_BYTES, jsonl_rows
from engine.corpus.types import DroppedRow, NoTextsError, Row, Source
from engine.errors import CorpusError


def rows_of(content: str | bytes, column: str | None = None, **settings: Any) -> tuple[list[Row], list[str]]:
    source = Source("a.jsonl", "jsonl")
    data = content.encode() if isinstance(content, str) else content
    return list(jsonl_rows(io.BytesIO(data), source, CorpusConfig(column=column, **settings))), source.notes


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
    assert rows_of('{"a": ["yes", "no"]}', "a.1")[0] == ["yes"]
    assert [row.reason for row in rows_of('{"a": ["yes", "no"]}', "a.0")[0] if isinstance(row, DroppedRow)] == [
        "no a.0"
    ]
    with pytest.raises(CorpusError, match="has no column 0"):
        rows_of('["yes", "no"]\n' * 2, "0")


def test_a_page_of_several_megabytes_on_one_line_is_read() -> None:
    page = {"data": [{"text": f"number {number}", "entities": "x" * 15_000} for number in range(500)]}
    lines = f"{json.dumps(page)}\n" * 2
    assert len(lines) > 15_000_000
    assert rows_of(lines) == ([f"number {number}" for number in range(500)] * 2, ["texts under data.text"])


def test_the_key_is_the_most_frequent_of_the_first_objects_that_have_one() -> None:
    objects = [
        {"delete": {"status": {"id": 1}}},
        {"message": "a notice"},
        *[{"text": f"n {n}", "id": n} for n in (1, 2)],
    ]
    rows, notes = rows_of("\n".join(map(json.dumps, objects)))
    assert rows == [
        DroppedRow("no text", "line 1: it has delete"),
        DroppedRow("no text", "line 2: it has message"),
        "n 1",
        "n 2",
    ]
    assert notes == ["texts under text"]


def test_a_stream_that_begins_with_thousands_of_notices_is_read() -> None:
    notice = json.dumps({"delete": {"status": {"id": 1}}})
    rows, _ = rows_of(f"{notice}\n" * 2500 + '{"text": "hello"}\n')
    assert [row.reason for row in rows[:-1] if isinstance(row, DroppedRow)] == ["no text"] * 2500
    assert rows[-1] == "hello"


@pytest.mark.parametrize("count", [1, 2500])
def test_objects_none_of_which_has_a_text_are_an_error_that_lists_the_keys(count: int) -> None:
    with pytest.raises(NoTextsError, match="no known key for the tweet; its first object has id, words") as caught:
        rows_of(json.dumps({"id": 1, "words": "hello"}) + '\n{"id": 2}' * (count - 1))
    assert caught.value.hint == "Set the key with --column, dotted if nested: words."


@pytest.mark.parametrize("wrapper", ["legacy", "row", "_source", "doc", "properties"])
def test_the_wrappers_of_databases_and_of_the_website_of_x_are_known(wrapper: str) -> None:
    assert rows_of(json.dumps({"id": "7", wrapper: {"text": "hello"}})) == (["hello"], [f"texts under {wrapper}.text"])


@pytest.mark.parametrize("key", ["rawContent", "Text", "tweetText", "tweet_text", "Tweet Content", "selftext", "quote"])
def test_a_usual_name_of_a_column_is_a_key_too(key: str) -> None:
    assert rows_of(json.dumps({"id": "7", key: "hello"}))[0] == ["hello"]


TRUNCATED = {
    "text": "the beginning of a long tw… https://t.co/x",
    "truncated": True,
    "extended_tweet": {"full_text": "the beginning of a long tweet and its end", "display_text_range": [0, 41]},
}


@pytest.mark.parametrize(
    "tweet",
    [
        TRUNCATED,
        {"data": {"text": "the beginning of", "note_tweet": {"text": "the beginning of a long tweet and its end"}}},
        {"tweet": TRUNCATED},
        {"body": "the beginning of", "long_object": {"body": "the beginning of a long tweet and its end"}},
    ],
)
def test_the_whole_text_of_a_tweet_that_is_cut_off_is_read(tweet: dict[str, object]) -> None:
    rows, notes = rows_of(json.dumps(tweet))
    assert rows == ["the beginning of a long tweet and its end"]
    assert notes[-1] == "1 long tweet read whole, from another key"


def test_a_column_that_the_user_sets_is_read_as_it_is() -> None:
    assert rows_of(json.dumps(TRUNCATED), "text")[0] == [TRUNCATED["text"]]


@pytest.mark.parametrize(
    "marker",
    [
        {"retweeted_status": {"text": "hello"}},
        {"referenced_tweets": [{"type": "replied_to", "id": "1"}, {"type": "retweeted", "id": "2"}]},
        {"is_retweet": True},
        {"retweet": True},
        {"verb": "share", "object": {"body": "hello"}},
    ],
)
@pytest.mark.parametrize("wrapper", ["", "data"])
def test_a_post_marked_as_a_retweet_is_dropped_with_no_retweets(marker: dict[str, object], wrapper: str) -> None:
    own = {"text": "mine", "retweeted_status": None, "referenced_tweets": [{"type": "quoted"}], "is_retweet": False}
    posts = [own, {"text": "hello", **marker}]
    content = "\n".join(json.dumps({wrapper: post} if wrapper else post) for post in posts)
    assert rows_of(content)[0] == ["mine", "hello"]
    assert rows_of(content, no_retweets=True)[0] == ["mine", DroppedRow("retweet", "line 2: hello")]


def test_pages_of_the_api_are_flattened_without_the_posts_to_which_they_refer() -> None:
    page = {
        "data": [{"id": "1", "text": "one"}, {"id": "2", "text": "two", "referenced_tweets": [{"type": "retweeted"}]}],
        "includes": {"tweets": [{"id": "3", "text": "another's"}], "users": [{"id": "4", "description": "a person"}]},
        "errors": [{"title": "Not Found Error", "message": "gone"}],
        "meta": {"result_count": 2},
        "__twarc": {"version": "2.14.0"},
    }
    empty = {"meta": {"result_count": 0}}
    content = "\n".join(map(json.dumps, [empty, page, page]))
    reason = DroppedRow("no data.text", "line 1: it has meta")
    assert [row for row in rows_of(content)[0] if isinstance(row, str)] == ["one", "two"] * 2
    rows = rows_of(content, no_retweets=True)[0]
    assert [row if isinstance(row, str) else row.reason for row in rows] == [reason.reason, *["one", "retweet"] * 2]


def test_one_array_of_strings_is_no_table_of_one_row() -> None:
    with pytest.raises(NoTextsError, match="its items are arrays"):
        rows_of(json.dumps([f"tweet {number}" for number in range(30)]))


def test_lines_of_arrays_are_the_rows_of_a_table() -> None:
    rows, notes = rows_of('["1a2b", "a nice day"]\n["3c4d", "and a good night"]\n["5e"]\n')
    assert rows == ["a nice day", "and a good night", DroppedRow("with too few columns", "line 3: 5e")]
    assert "text in column 2" in notes[-1]


@pytest.mark.parametrize("wrapper", ["", "data"])
@pytest.mark.parametrize(("key", "sad", "happy"), [("sentiment", "negative", "positive"), ("target", 0, 4)])
def test_known_labels_beside_the_text_are_used_as_in_a_table(
    wrapper: str, key: str, sad: object, happy: object
) -> None:
    posts = [{"id": 1, "text": "a bad day", key: sad}, {"id": 2, "text": "a good day", key: happy}]
    content = "\n".join(json.dumps({wrapper: post} if wrapper else post) for post in posts)
    rows, notes = rows_of(content)
    assert [row if isinstance(row, str) else row.example for row in rows] == ["line 1: a bad day", "a good day"]
    assert notes[-1].startswith(f"labels under {key}: kept happy")
    assert rows_of(content, label="all")[0] == ["a bad day", "a good day"]


def test_labels_of_unknown_meaning_are_used_only_if_they_are_asked_for() -> None:
    content = "\n".join(json.dumps({"text": f"number {n}", "target": n % 2, "topic": f"t{n % 2}"}) for n in range(4))
    rows, notes = rows_of(content)
    assert len([row for row in rows if isinstance(row, str)]) == 4
    assert "not used (0, 1), every row kept" in notes[-1]
    assert [row for row in rows_of(content, label_column="topic", label="t1")[0] if isinstance(row, str)] == [
        "number 1",
        "number 3",
    ]
    with pytest.raises(CorpusError, match="has no column absent"):
        rows_of(content, label_column="absent")


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
        (json.dumps({"text": "x" * MAX_LINE_BYTES}), "with a line over 10 MB"),
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

"""The text column of a table: usual names first, then length; links, ids, numbers, dates and users never."""

from __future__ import annotations

import pytest

from engine.corpus.readers.tables.columns import find_text_column, requested_column
from engine.errors import CorpusError

TEXT = "a quiet morning by the sea"
LINK = "https://example.org/paper/status/1234567890123456789"
SOURCE = '<a href="http://example.org/download/phone" rel="nofollow">Paper for Phones</a>'


@pytest.mark.parametrize(
    ("names", "row", "column"),
    [
        (["id", "text", "tweet_url"], ["7", TEXT, LINK], 1),
        (["tweet_text", "rephrased_text"], ["hello", f"{TEXT} and {TEXT}"], 0),
        (["Text", "Description"], ["hello", TEXT], 0),
        (["text", "full_text"], ["a qui…", TEXT], 1),
        (["title", "selftext"], [TEXT, "hello"], 1),
        (["content", "headline"], [LINK, "hello"], 1),
        (["source", "text_ja"], [SOURCE, "おはよう"], 1),
        (["Tweet-Text", "other"], ["hello", TEXT], 0),
        (["tweetText", "other"], ["hello", TEXT], 0),
        (["user_description", "username"], [TEXT, "mia_the_very_long_name_of_somebody"], 0),
    ],
)
def test_a_usual_name_beats_length_and_neither_makes_a_link_or_a_source_the_text(
    names: list[str], row: list[str], column: int
) -> None:
    found = find_text_column([row] * 3, names)
    assert found is not None
    assert found.column == column


def test_a_blank_column_is_only_the_text_if_it_is_called_so() -> None:
    rows = [["17.5", ""], ["18.2", ""], ["19", ""]]
    assert find_text_column(rows) is None
    assert find_text_column(rows, ["price", "note"]) is None
    found = find_text_column(rows, ["price", "text"])
    assert found is not None
    assert found.column == 1


def test_a_column_that_is_mostly_blank_is_not_the_text_beside_one_that_is_not() -> None:
    rows = [[f"a short title {number}", TEXT * 9 if number % 9 == 0 else ""] for number in range(90)]
    found = find_text_column(rows, ["title", "selftext"])
    assert found is not None
    assert found.column == 0


@pytest.mark.parametrize(
    "other",
    [
        LINK,
        f"{LINK}, {LINK}",
        "www.example.org/a/long/path/to/somewhere",
        SOURCE,
        "1234567890123456789012345678901234567890",
        "-1,234.5678901234567890123456789012345",
        "2026-11-28T00:00:00.000000+00:00",
        "Mon Apr 06 22:19:45 PDT 2009",
        "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "['paper', 'sea', 'morning', 'quiet', 'fern']",
        '{"hashtags": [], "urls": [], "user_mentions": []}',
        "@a_user_with_quite_a_long_name",
    ],
)
def test_without_names_the_longest_column_that_can_be_text_is_chosen(other: str) -> None:
    found = find_text_column([[other, "good", TEXT]] * 3)
    assert found is not None
    assert (found.column, found.why) == (2, "the longest")


def test_a_long_category_that_repeats_is_not_the_text() -> None:
    rows = [[f"hello {'a' * number}", "a very long name of a topic that repeats"] for number in range(30)]
    found = find_text_column(rows, ["greeting", "topic"])
    assert found is not None
    assert found.column == 0


def test_a_table_of_ids_and_links_has_no_text_column() -> None:
    assert find_text_column([["7", LINK]], ["id", "url"]) is None


def test_a_single_column_is_the_text_whatever_it_has() -> None:
    found = find_text_column([["7"], ["8"]], ["id"])
    assert found is not None
    assert found.column == 0


@pytest.mark.parametrize(("column", "index"), [("Tweet Text", 1), ("tweet text", 1), ("tweet_text", 1), ("2", 1)])
def test_a_requested_column_is_a_name_or_a_number_from_1(column: str, index: int) -> None:
    assert requested_column(["id", "Tweet Text"], 2, column, "--column", "a.csv") == index


@pytest.mark.parametrize("column", ["body", "0", "3", "-1", "²", "9" * 5000])
def test_a_requested_column_that_is_absent_is_an_error_with_the_names(column: str) -> None:
    with pytest.raises(CorpusError, match="has no column") as caught:
        requested_column(["id", "text"], 2, column, "--label-column", "a.csv")
    assert "--label-column" in caught.value.message
    assert "id, text" in caught.value.hint

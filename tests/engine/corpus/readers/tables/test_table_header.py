"""The header of a table is detected by usual names or because it differs in kind; a first tweet is never lost."""

from __future__ import annotations

import pytest

from engine.corpus.readers.tables.table_header import is_header

POEMS = [
    ["An old quiet pond… a frog jumps in", "Basho Matsuo"],
    ["First autumn morning; the mirror shows a face", "Murakami Kijo"],
    ["Over the wintry forest, winds howl in rage", "Natsume Soseki"],
]
TWEETS = [["hello there, it rains again", "mia"], ["what a day! so long", "tom_7"], ["good morning @you :)", "ida"]]
SEASONS = [[f"a line about leaf no {number}, falling", ["spring", "autumn"][number % 2]] for number in range(40)]


@pytest.mark.parametrize(
    "header", [["haiku", "author"], ["haiku", "maker"], ["haiku_text", "made_by"], ["Verse", "By"]]
)
def test_names_above_texts_are_a_header(header: list[str]) -> None:
    assert is_header(header, POEMS)


@pytest.mark.parametrize("header", [["verse", "season"], ["", "leaf_text"]])
def test_a_name_above_categories_is_a_header(header: list[str]) -> None:
    assert is_header(header, [[*row][:: (1 if header[0] else -1)] for row in SEASONS]) == bool(header[0])


@pytest.mark.parametrize(
    ("first", "others"),
    [
        (["-0.5", "hello"], [["1.5", "so it goes"], ["-2", "what a day"], ["0.1", "bye now"]]),
        (["-1", "text"], [["1", "so it goes"]]),
        (["+1.5e3", "hello"], [["2", "so it goes"]]),
        (["hello", "bob"], TWEETS),
        (["hello there", "bob"], TWEETS),
        (["what a day!", "Basho"], POEMS),
        (["yes", "autumn"], SEASONS),
        (["hello", "you"], [["so it goes", "what a day"]]),
        (["where is it?", "place"], [["why now?", "time"], ["what place is it?", "place"], ["so there", "place"]]),
        (["hello", "hello"], POEMS),
        (["7", "text", "4"], [["8", "so it goes", "4"]]),
        (["42", "author"], [["43", "so it goes"]]),
        (["2021-03-05", "we had such a great time"], [["2021-03-06", "so it goes"]]),
        (["what are you looking at?", "mia"], TWEETS),
    ],
)
def test_a_first_row_of_data_is_no_header(first: list[str], others: list[list[str]]) -> None:
    assert not is_header(first, others)


def test_english_names_above_another_script_are_a_header() -> None:
    words = [["秋の雨", "あきのあめ", "秋"], ["冬の森", "ふゆのもり", "冬"]] * 15
    assert is_header(["word", "reading", "season"], words)
    assert not is_header(["冬の日", "reading", "冬"], words)
    assert not is_header(["word", "reading", "season"], [["snow", "ゆき", "冬"], *words])


def test_a_long_question_beside_a_usual_name_is_a_header() -> None:
    question = "What did you like most about the place that you visited in the year before the last one?"
    assert is_header(["Timestamp", question], [["2021/03/05 3:02:07 PM", "the sea"]] * 3)


def test_numbers_that_pandas_gives_to_columns_of_texts_are_names() -> None:
    assert is_header(["", "0", "1", "source"], [["0", "an old pond", "a frog jumps in", "paper"]] * 3)


@pytest.mark.parametrize("name", ["created_at", "Created At", "Tweet ID", "postUrl", "retweet_count"])
def test_a_name_with_a_usual_ending_is_in_a_header(name: str) -> None:
    assert is_header([name, "a"], [["x", "so it goes"]])


@pytest.mark.parametrize("header", [["text"], ["Haiku"], ["names"], ["Headline"]])
def test_a_usual_name_alone_is_a_header(header: list[str]) -> None:
    assert is_header(header, [["hello"]])


@pytest.mark.parametrize("first", [["hello"], ["label"], ["-1"], [""]])
def test_another_word_alone_is_no_header(first: list[str]) -> None:
    assert not is_header(first, [["hello there"]])

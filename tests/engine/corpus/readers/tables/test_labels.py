"""Labels: used where they are known or named; else every row is kept, and a note has the labels."""

from __future__ import annotations

import pytest

from engine.corpus.types import DroppedRow
from engine.errors import CorpusError
from tests.engine.corpus.readers.tables.read_table import notes_of, read, rows_of


def test_a_column_named_as_a_label_decides_what_is_kept() -> None:
    rows, notes = read("tweet,Sentiment\nso sad,0\nhello,1\nwho knows,\nbye,1.0\n")
    assert rows == [
        DroppedRow("labelled sad (0)", "line 2: so sad"),
        "hello",
        DroppedRow("without a label", "line 4: who knows"),
        "bye",
    ]
    assert notes == [
        "header row found",
        "text in column 1 (tweet): by its name",
        "labels in column 2 (Sentiment): kept happy (1); --label all keeps all",
    ]


POLARITIES = "4,hello\n0,so sad\n2,a bus\n"
WORDS = "label,text\npositive,hello there\nneutral,a long bus\n"


@pytest.mark.parametrize(
    ("content", "label", "kept"),
    [
        (POLARITIES, "happy", ["hello"]),
        (POLARITIES, "all", ["hello", "so sad", "a bus"]),
        (WORDS, "neutral", ["a long bus"]),
    ],
)
def test_labels_are_polarities_or_words(content: str, label: str, kept: list[str]) -> None:
    assert [row for row in rows_of(content, label=label) if isinstance(row, str)] == kept


def test_a_few_zeros_are_no_labels_but_hundreds_at_the_start_are_a_file_sorted_by_label() -> None:
    assert rows_of("0,hello\n0,good bye\n") == ["hello", "good bye"]
    rows = rows_of("0,so sad\n" * 1200 + "4,hello\n" * 2)
    assert [row for row in rows if isinstance(row, str)] == ["hello"] * 2


def test_zeros_in_several_columns_or_in_the_middle_are_counts_and_no_labels() -> None:
    for zeros in ("0,0,0", "0,en,0", "2024-12-08,0,en"):
        rows = rows_of("".join(f"{number},{zeros},hello from the bus {number}\n" for number in range(200)))
        assert rows[:2] == ["hello from the bus 0", "hello from the bus 1"]


@pytest.mark.parametrize(
    "content", ["a,b,label\n1,hello there,3\n", "1,hello there,3\n", "label,text\nen,hello there\n"]
)
def test_other_columns_are_no_labels(content: str) -> None:
    assert rows_of(content) == ["hello there"]


def test_a_label_without_a_label_column_is_noted() -> None:
    assert notes_of("hello\nbye\n", label="sad")[-1] == "no labels found: every row kept"


def kept(content: str, label: str = "happy", label_column: str | None = None) -> list[str]:
    return [row for row in rows_of(content, label=label, label_column=label_column) if isinstance(row, str)]


DISASTERS = "id,keyword,text,target\n1,fire,the wood is on fire,1\n2,fire,my mixtape is fire,0\n"


def test_a_target_of_0_and_1_drops_nothing_and_the_note_names_the_options() -> None:
    rows, notes = read(DISASTERS)
    assert rows == ["the wood is on fire", "my mixtape is fire"]
    assert notes[2:] == [
        "labels in column 4 (target): not used (0, 1), every row kept; --label-column target --label VALUE chooses"
    ]


@pytest.mark.parametrize("header", ["label", "target", "Label"])
def test_a_file_of_zeros_and_ones_that_starts_with_zeros_is_not_silently_halved(header: str) -> None:
    rows = rows_of(f"{header},text\n" + "0,hello\n" * 1200 + "1,bye\n" * 5)
    assert rows[-1] == DroppedRow("labelled 1", "line 1206: bye")
    assert kept(f"{header},text\n" + "0,hello\n" * 50 + "1,bye\n") == ["hello"] * 50 + ["bye"]


def test_a_value_of_a_column_named_as_a_label_filters() -> None:
    assert read(DISASTERS, label="1")[0] == [
        "the wood is on fire",
        DroppedRow("labelled 0", "line 3: my mixtape is fire"),
    ]


def test_sentiment140_labels_under_a_header_are_known() -> None:
    assert kept("target,text\n4,hello\n0,so sad\n") == ["hello"]


SEMEVAL = "7\tpositive\ta fine day\n8\tnegative\tso sad\n9\tneutral\ta long bus\n"


@pytest.mark.parametrize("content", [SEMEVAL, f"id\tairline_opinion\ttext\n{SEMEVAL}", SEMEVAL.title()])
@pytest.mark.parametrize(
    ("label", "text"), [("happy", "a fine day"), ("sad", "so sad"), ("neutral", "a long bus"), ("Negative", "so sad")]
)
def test_words_for_feelings_are_known_with_or_without_a_header(content: str, label: str, text: str) -> None:
    assert [row.casefold() for row in kept(content, label)] == [text]


def test_the_reason_shows_a_label_as_the_file_writes_it() -> None:
    assert rows_of("Sentiment,text\nPositive,hello\nNegative,so sad\nIrrelevant,a bus\n") == [
        "hello",
        DroppedRow("labelled Negative", "line 3: so sad"),
        DroppedRow("labelled Irrelevant", "line 4: a bus"),
    ]


def test_a_fourth_label_does_not_hide_positive_and_negative() -> None:
    assert kept("7,Positive,a very fine day\n8,Negative,it was so sad\n9,Irrelevant,a long bus\n") == [
        "a very fine day"
    ]


def test_words_that_are_texts_are_no_labels() -> None:
    assert kept("1,neutral\n2,neutral\n") == ["neutral", "neutral"]


@pytest.mark.parametrize("column", ["class", "CLASS", "1"])
def test_a_label_column_is_named_or_numbered_from_1(column: str) -> None:
    content = "class,text\ntoxic,you fool\nclean,hello there\n"
    assert read(content, label="clean", label_column=column)[0] == [
        DroppedRow("labelled toxic", "line 2: you fool"),
        "hello there",
    ]
    assert kept(content, "all", column) == ["you fool", "hello there"]


def test_a_value_of_a_named_column_makes_no_other_value_happy() -> None:
    assert rows_of(DISASTERS, label="0", label_column="target")[0] == DroppedRow(
        "labelled 1", "line 2: the wood is on fire"
    )


def test_zeros_and_ones_of_a_named_column_are_sad_and_happy() -> None:
    assert kept(DISASTERS, "happy", "target") == ["the wood is on fire"]
    assert kept(DISASTERS, "sad", "target") == ["my mixtape is fire"]


@pytest.mark.parametrize("labels", [("0", "1", "2"), ("-1", "0", "1"), ("1", "2", "3", "4", "5")])
def test_digits_of_another_scale_are_not_guessed(labels: tuple[str, ...]) -> None:
    content = "sentiment,text\n" + "".join(f"{label},hello\n" for label in labels)
    assert kept(content) == ["hello"] * len(labels)
    with pytest.raises(CorpusError, match="no label happy"):
        rows_of(content, label_column="sentiment")


def test_a_named_column_without_the_feeling_is_an_error_with_its_labels() -> None:
    with pytest.raises(CorpusError, match="no label happy in column class") as caught:
        rows_of("class,text\ntoxic,you fool\nclean,hello there\n", label_column="class")
    assert "clean, toxic" in caught.value.hint


@pytest.mark.parametrize("column", ["mood", "0", "9"])
def test_a_label_column_that_is_absent_is_an_error(column: str) -> None:
    with pytest.raises(CorpusError, match=f"no column {column}") as caught:
        rows_of(DISASTERS, label_column=column)
    assert "--label-column" in caught.value.message
    assert "id, keyword, text, target" in caught.value.hint

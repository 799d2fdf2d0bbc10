"""Sentiment140: six columns, with or without header, filtered by label.

`tests.fuzz` tries random fields.
"""

from __future__ import annotations

import csv
import io

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.tables.sentiment140_rows import sentiment140_rows
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError

DATE = "Mon Apr 06 22:19:45 PDT 2009"
HEADER = "Label,Id,Date,Query,Name,Text\n"


def table(*rows: tuple[str, str]) -> str:
    """Return a file with these polarities and texts."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for number, (polarity, text) in enumerate(rows):
        writer.writerow([polarity, 1467810369 + number, DATE, "NO_QUERY", "mia", text])
    return out.getvalue()


def read(content: str | bytes, label: str = "happy", column: str | None = None) -> tuple[list[Row], list[str]]:
    """Return the rows of a file with this content, and the notes on it."""
    source = Source(name="training.csv", format="sentiment140")
    data = content.encode() if isinstance(content, str) else content
    rows = list(sentiment140_rows(io.BytesIO(data), source, CorpusConfig(label=label, column=column)))
    return rows, source.notes


MIXED = table(("0", "so sad"), ("4", "hello, there"), ("2", "a bus"), ("", "who knows"), ("4", 'she said "hi"'))
SAD = DroppedRow("labelled sad (0)", "line 1: so sad")
HAPPY = [
    DroppedRow("labelled happy (4)", "line 2: hello, there"),
    DroppedRow("labelled happy (4)", 'line 5: she said "hi"'),
]
NEUTRAL = DroppedRow("labelled neutral (2)", "line 3: a bus")
BLANK = DroppedRow("without a label", "line 4: who knows")


@pytest.mark.parametrize(
    ("label", "rows", "note"),
    [
        ("happy", [SAD, "hello, there", NEUTRAL, BLANK, 'she said "hi"'], "kept happy (4); --label all keeps all"),
        ("sad", ["so sad", HAPPY[0], NEUTRAL, BLANK, HAPPY[1]], "kept sad (0); --label all keeps all"),
        ("2", [SAD, HAPPY[0], "a bus", BLANK, HAPPY[1]], "kept 2; --label all keeps all"),
        ("7", [SAD, HAPPY[0], NEUTRAL, BLANK, HAPPY[1]], "kept 7; --label all keeps all"),
        ("all", ["so sad", "hello, there", "a bus", "who knows", 'she said "hi"'], "kept all"),
    ],
)
def test_tweets_are_kept_by_their_label_and_others_counted_under_theirs(label: str, rows: list[Row], note: str) -> None:
    assert read(MIXED, label) == (rows, ["no header row", "text in column 6", f"labels in column 1: {note}"])


def test_a_header_is_detected_and_noted() -> None:
    rows, notes = read(HEADER + MIXED)
    assert rows[1] == "hello, there"
    assert len(rows) == 5
    assert notes[:2] == ["header row found", "text in column 6 (Text)"]
    assert notes[2:] == ["labels in column 1 (Label): kept happy (4); --label all keeps all"]


@pytest.mark.parametrize("happy", ["4", "1"])
def test_a_file_sorted_by_polarity_yields_the_happy_tweets_at_its_end(happy: str) -> None:
    rows, _ = read(table(*[("0", "bad")] * 1500, *[(happy, "good")] * 3))
    assert [row for row in rows if isinstance(row, str)] == ["good"] * 3


def test_a_column_can_be_named() -> None:
    assert read(HEADER + table(("4", "hello")), column="name")[0] == ["mia"]
    assert read(table(("4", "hello")), column="5")[0] == ["mia"]


def test_a_file_of_other_columns_is_refused() -> None:
    with pytest.raises(CorpusError, match=r"training\.csv is not Sentiment140: it has 2 columns, not 6\.") as caught:
        read("4,hello\n0,bye\n")
    assert "--format csv" in caught.value.hint

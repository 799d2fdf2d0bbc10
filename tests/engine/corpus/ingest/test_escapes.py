r"""Escapes such as `\u2019` are decoded in a source that certainly has them, and left in every other."""

from __future__ import annotations

import pytest

from engine.corpus.ingest.escapes import decode_escapes
from engine.corpus.types import DroppedRow, Row, Source

PLAIN = "good morning everyone"
CODES = [r"it\u2019s friday\u002c at last", r"can\u2019t wait :\ ", r"smile \ud83d\ude00 you\\u2019re here", PLAIN]
ESCAPES = [r"see http:\/\/a.example\/b", r"she said \"hi\"", r"one\ntwo\tthree", r"it\u2019s a \\ and don\'t", PLAIN]


def decoded(rows: list[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows of a source after decoding, and the notes on it."""
    source = Source(name="tweets.tsv", format="csv")
    return list(decode_escapes(iter(rows), source)), source.notes


def test_codes_of_characters_are_decoded_and_emoticons_are_not() -> None:
    rows, notes = decoded([*CODES])
    assert rows == ["it’s friday, at last", "can’t wait :\\ ", "smile 😀 you’re here", PLAIN]
    assert notes == [r"escapes such as \u2019 decoded"]


def test_strings_of_json_and_sql_are_decoded() -> None:
    rows, notes = decoded([*ESCAPES])
    assert rows == ["see http://a.example/b", 'she said "hi"', "one\ntwo\tthree", "it’s a \\ and don't", PLAIN]
    assert notes == [r"escapes such as \n and \/ decoded"]


def test_strings_of_python_are_decoded() -> None:
    strings = [r"caf\xe9 \u2014 now", r"so late \U0001f600\nand home", r"she said \"hi\"", r"one\ntwo", r"a\nb", PLAIN]
    rows, _ = decoded([*strings])
    assert rows == ["café — now", "so late 😀\nand home", 'she said "hi"', "one\ntwo", "a\nb", PLAIN]


def test_bytes_literals_of_python_are_decoded() -> None:
    literals = [
        r"b'it\xe2\x80\x99s \xf0\x9f\x98\x80'",
        r"""b"don't" """.strip(),
        r"b'one\ntwo \\ three'",
        r"b'cut \xf0\x9f'",
    ]
    rows, notes = decoded([*literals * 5, "b'é'", "plain"])
    assert rows[:4] == ["it’s 😀", "don't", "one\ntwo \\ three", "cut \ufffd"]
    assert rows[-2:] == ["b'é'", "plain"]
    assert notes == ["Python's bytes literals decoded"]


def test_a_source_is_decoded_to_its_end_and_dropped_rows_stay() -> None:
    dropped = DroppedRow("empty")
    rows, _ = decoded([*CODES, dropped, *[PLAIN] * 2000, r"last \u2026"])
    assert rows[len(CODES)] == dropped
    assert rows[-1] == "last …"


def test_half_a_surrogate_pair_is_a_lost_character() -> None:
    assert decoded([*CODES, r"half \ud83d!"])[0][-1] == "half \ufffd!"


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [PLAIN],
        CODES[:2],  # too few
        [r"so bored :\ ", r"meh :\\", r"C:\new\tables", r"C:\Users\anna", r"¯\_(ツ)_/¯", r"\o/ yes"],
        [r"\o/ \o/", r":\ :\ ", r"in Python, '\u2019' is a string", r"\u0041 is A", r":-\ \m/", r"it is \u0042\d+\s"],
        [r"the \alpha and \nabla", r"a \sum and \nu", r"\theta and \nu", r"\beta"],
        ["b'", "b'yes'", "b' or not b'", PLAIN, PLAIN],
        [DroppedRow("empty", r"\u2019")] * 5,
    ],
)
def test_other_backslashes_stay(rows: list[Row]) -> None:
    assert decoded([*rows]) == (rows, [])


def test_the_sample_of_a_source_with_long_rows_is_bounded() -> None:
    rows = iter(["x" * 600_000] * 4)
    decode_escapes(rows, Source(name="a.txt", format="text"))
    assert len(list(rows)) == 2

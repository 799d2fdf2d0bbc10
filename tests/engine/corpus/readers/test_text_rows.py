"""Plain text: a row per line, paragraph or piece between separators. `tests.fuzz` tries random bytes."""

from __future__ import annotations

import io

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.text_rows import MAX_PARAGRAPH_CHARS, text_rows
from engine.corpus.types import DroppedRow, Row, Source

LINES = CorpusConfig()
PARAGRAPHS = CorpusConfig(blank_line_separated=True)


PIECED = """\
A day without pie is a day without sun.
\t\t-- A. Baker
%
Never trust 100% of a %.

Trust half.
%
%
Three
%
"""
PIECES = [
    "A day without pie is a day without sun.\n\t\t-- A. Baker",
    "Never trust 100% of a %.\n\nTrust half.",
    "Three",
]


def rows_of(content: str | bytes, config: CorpusConfig = LINES) -> list[Row]:
    """Return the rows of a file with this content."""
    data = content.encode() if isinstance(content, str) else content
    return list(text_rows(io.BytesIO(data), Source(name="data.txt", format="text"), config))


def test_every_line_is_a_row() -> None:
    lines = ["one, two", "  three ", "", 'quo"te', "five\u2028still five"]
    assert rows_of("\n".join(lines)) == lines


def test_paragraphs_end_at_blank_lines_and_keep_their_line_breaks() -> None:
    lines = ["", "an old pond", "  a frog jumps in", "the sound of water", "", " \t", "one line", "", ""]
    paragraphs = ["an old pond\n  a frog jumps in\nthe sound of water", "one line"]
    assert rows_of("\r\n".join(lines), PARAGRAPHS) == paragraphs
    assert rows_of("\n".join([*lines, "last"]), PARAGRAPHS) == [*paragraphs, "last"]


def test_a_paragraph_with_an_unusable_line_is_unusable_as_a_whole() -> None:
    rows = rows_of(b"a\nb\0\nc\0\nd\n\ne\n", PARAGRAPHS)
    assert rows == [DroppedRow("with a NUL byte", "line 2: b"), "e"]


def test_a_paragraph_over_the_bound_is_one_counted_drop() -> None:
    line = "x" * 99_999 + "\n"
    assert rows_of(line * (MAX_PARAGRAPH_CHARS // 100_000), PARAGRAPHS) == [(line * 10).removesuffix("\n")]
    over = rows_of(line * 25 + "\nnext\n", PARAGRAPHS)
    assert [getattr(row, "reason", row) for row in over] == ["with a piece over 1 MB", "next"]


@pytest.mark.parametrize("separator", ["%%", "---", "* * *", "%"])
def test_any_line_can_separate_tweets(separator: str) -> None:
    content = PIECED.replace("\n%\n", f"\n{separator} \n").replace("\n%\n", f"\n{separator}\n")
    assert rows_of(content, CorpusConfig(separator=separator)) == PIECES


def test_a_piece_with_an_unusable_line_is_unusable_as_a_whole() -> None:
    rows = rows_of(b"a\nb\0\n%\nc\n%\n%\n", CorpusConfig(separator="%"))
    assert rows == [DroppedRow("with a NUL byte", "line 2: b"), "c"]

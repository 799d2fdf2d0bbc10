"""Plain text: every line is a tweet, or every paragraph between blank lines. Never guesses which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.lines import Line, decoded_lines
from engine.corpus.types import DroppedRow, Row, Source, example

MAX_PARAGRAPH_CHARS = 1_000_000
OVER_LONG_PIECE = "with a piece over 1 MB"


def text_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per line, or per paragraph with its line breaks if `config.blank_line_separated`.

    A paragraph with a dropped line is dropped as a whole.
    """
    lines = decoded_lines(file, source)
    yield from _paragraphs(lines) if config.blank_line_separated else lines


def _paragraphs(lines: Iterator[Line]) -> Iterator[Row]:
    """Yield the paragraphs between blank lines."""
    piece: list[str] = []
    num_chars = 0
    problem: DroppedRow | None = None
    for number, line in enumerate(lines, start=1):
        if isinstance(line, DroppedRow):
            problem = problem or line
        elif line and not line.isspace():
            num_chars += len(line) + 1
            if num_chars > MAX_PARAGRAPH_CHARS:
                problem = problem or DroppedRow(OVER_LONG_PIECE, example(f"line {number}", line))
            if problem is None:
                piece.append(line)
            else:
                piece.clear()
        else:
            yield from _paragraph(piece, problem)
            piece, num_chars, problem = [], 0, None
    yield from _paragraph(piece, problem)


def _paragraph(piece: list[str], problem: DroppedRow | None) -> Iterator[Row]:
    """Yield the row of a complete paragraph; nothing if it is empty."""
    if problem is not None:
        yield problem
    elif piece:
        yield "\n".join(piece)

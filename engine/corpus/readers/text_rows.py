"""Plain text: every line is a tweet, or every piece between blank lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.lines import Line, decoded_lines
from engine.corpus.types import DroppedRow, Row, Source, example

MAX_PIECE_CHARS = 1_000_000
OVER_LONG_PIECE = "with a piece over 1 MB"


def text_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Return one row per line, or per piece with its line breaks in it where `config` says that blank lines part them.

    A piece with an unusable line in it is unusable as a whole.
    """
    lines = decoded_lines(file, source)
    yield from _pieces(lines) if config.blank_line_separated else lines


def _pieces(lines: Iterator[Line]) -> Iterator[Row]:
    """Return what stands between blank lines."""
    piece: list[str] = []
    num_chars = 0
    problem: DroppedRow | None = None
    for number, line in enumerate(lines, start=1):
        if isinstance(line, DroppedRow):
            problem = problem or line
        elif line and not line.isspace():
            num_chars += len(line) + 1
            if num_chars > MAX_PIECE_CHARS:
                problem = problem or DroppedRow(OVER_LONG_PIECE, example(f"line {number}", line))
            if problem is None:
                piece.append(line)
            else:
                piece.clear()
        else:
            yield from _piece(piece, problem)
            piece, num_chars, problem = [], 0, None
    yield from _piece(piece, problem)


def _piece(piece: list[str], problem: DroppedRow | None) -> Iterator[Row]:
    """Return the piece that has ended as its one row, or no row where there is none."""
    if problem is not None:
        yield problem
    elif piece:
        yield "\n".join(piece)

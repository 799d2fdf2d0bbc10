"""Plain text: a tweet per line, per paragraph between blank lines, or per piece between separator lines.

Only the `%` lines of fortune files are detected; the other ways are options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.lines import Line, decoded_lines, head_lines
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.text import harmless

MAX_PARAGRAPH_CHARS = 1_000_000
OVER_LONG_PIECE = "with a piece over 1 MB"
_FORTUNE_SEPARATOR = "%"
_MIN_FORTUNES = 2
_MAX_FORTUNE_LINES = 30
"""Limit of the mean number of lines of a fortune."""
_HEAD_LINES = 500


def text_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per line; per paragraph if `config.blank_line_separated`; per piece between separator lines.

    Paragraphs and pieces have their line breaks. One with a dropped line is dropped as a whole.
    """
    lines = decoded_lines(file, source)
    if config.blank_line_separated:
        yield from _pieces(lines, _is_blank)
        return
    head = list(islice(lines, _HEAD_LINES))
    separator = config.separator or (_FORTUNE_SEPARATOR if _are_fortunes(head) else None)
    if separator is None:
        yield from chain(head, lines)
    else:
        source.notes.append(f"separated by lines that are {harmless(separator, 30)}")
        wanted = separator.rstrip()
        yield from _pieces(chain(head, lines), lambda line: line.rstrip() == wanted)


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a fortune file."""
    return b"%" in head and _are_fortunes(head_lines(head))


def _are_fortunes(lines: Sequence[Line]) -> bool:
    num_separators = lines.count(_FORTUNE_SEPARATOR)
    return num_separators >= _MIN_FORTUNES and len(lines) <= num_separators * _MAX_FORTUNE_LINES


def _is_blank(line: str) -> bool:
    return not line or line.isspace()


def _pieces(lines: Iterator[Line], is_end: Callable[[str], bool]) -> Iterator[Row]:
    """Yield the pieces between the lines for which `is_end`."""
    piece: list[str] = []
    num_chars = 0
    problem: DroppedRow | None = None
    for number, line in enumerate(lines, start=1):
        if isinstance(line, DroppedRow):
            problem = problem or line
        elif is_end(line):
            yield from _piece(piece, problem)
            piece, num_chars, problem = [], 0, None
        else:
            num_chars += len(line) + 1
            if num_chars > MAX_PARAGRAPH_CHARS:
                problem = problem or DroppedRow(OVER_LONG_PIECE, example(f"line {number}", line))
            if problem is None:
                piece.append(line)
            else:
                piece.clear()
    yield from _piece(piece, problem)


def _piece(piece: list[str], problem: DroppedRow | None) -> Iterator[Row]:
    """Yield the row of a complete piece; nothing if it is empty."""
    if problem is not None:
        yield problem
    elif not all(map(_is_blank, piece)):
        yield "\n".join(piece)

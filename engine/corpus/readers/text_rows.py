"""Plain text: a tweet per line, per paragraph between blank lines, or per piece between separator lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.cleaning import doubt_about_columns
from engine.corpus.readers.lines import Line, decoded_lines, first_lines
from engine.corpus.readers.reader import DroppedRow, Format, Row, Source, example, of_one_file
from engine.text import sanitize_line

MAX_PARAGRAPH_CHARS = 1_000_000
OVER_LONG_PIECE = "with a piece over 1 MB"
ONLY_A_LABEL = "only a number or label"
_HEAD_ROWS = 20
"""By these first rows, a file is one of labels."""
_NUMBER = r"[-+]?\d[\d.,]*+(?:[eE][-+]?\d+)?%?"
_NUMBERS = re.compile(rf"\s*{_NUMBER}(?:[\s,;]+{_NUMBER})*\s*")
_LABEL = re.compile(r"(\d+)(?:\t(?:[!-~]+|[^\w\s!-~]+))+")
"""A number and the name of the label for which it stands, such as a word or an emoji."""


def are_labels(lines: Sequence[str]) -> bool:
    """Return whether the first lines of a file are the names of the labels 0, 1, 2, ..."""
    found = [_LABEL.fullmatch(line) for line in lines]
    return [each and each[1] for each in found] == list(map(str, range(len(found))))


def text_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield the texts of a file as rows: see `_texts`.

    Numbers and labels, which people store beside texts, are dropped rows unless the user sets the format.
    """
    is_detected = config.format == "auto"
    texts = _texts(file, source, config)
    head = list(islice(texts, _HEAD_ROWS))
    has_labels = are_labels([row for row in head if isinstance(row, str)])
    for number, row in enumerate(chain(head, texts), start=1):
        if is_detected and isinstance(row, str) and (_NUMBERS.fullmatch(row) or (has_labels and _LABEL.fullmatch(row))):
            yield DroppedRow(ONLY_A_LABEL, example(f"row {number:,}", row))
        else:
            yield row


def _texts(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per line; per paragraph if `config.blank_line_separated`; per piece between separator lines.

    Paragraphs and pieces have their line breaks. One with a dropped line is dropped as a whole.
    """
    lines = decoded_lines(file, source)
    if config.blank_line_separated:
        yield from _pieces(lines, _is_blank)
    elif config.separator is not None:
        source.notes.append(f"separated by lines that are {sanitize_line(config.separator, 30)}")
        separator = config.separator.rstrip()
        yield from _pieces(lines, lambda line: line.rstrip() == separator)
    else:
        head = first_lines(lines)
        doubt = doubt_about_columns(line for line in head if isinstance(line, str))
        source.doubt = f"{doubt}; --format csv splits it into columns" if doubt else ""
        yield from head
        yield from lines


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


TEXT = Format(
    name="text", rows=of_one_file(text_rows), suffixes=(".txt", ".text"), other_suffixes=(".csv", ".tsv", ".tab")
)

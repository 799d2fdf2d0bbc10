"""From bytes to lines, each decoded separately, and plain text: a tweet per line, per paragraph or between separators.

Files of old tweets mix encodings from line to line, so no single encoding fits: a line is UTF-8, or else Windows-1252.
A line that can't be used (a NUL byte, more bytes than the limit) is a `DroppedRow` in its place, so that readers can
count lines. Never buffers more than a line's limit.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.cleaning import doubt_about_columns
from engine.corpus.readers.reader import DroppedRow, Format, Row, Source, example, head_of, of_one_file
from engine.text import EXAMPLE_CHARS, counted, sanitize_line

MAX_LINE_BYTES = 1_000_000
MAX_PIECE_CHARS = 1_000_000
NUL_BYTE = "with a NUL byte"
OVER_LONG_PIECE = "with a piece over 1 MB"
ONLY_A_LABEL = "only a number or label"

_CHUNK_BYTES = 65_536
_HEAD_ROWS = 20
"""By these first rows, a file is one of labels."""
_NUMBER = r"[-+]?\d[\d.,]*+(?:[eE][-+]?\d+)?%?"
_NUMBERS = re.compile(rf"\s*{_NUMBER}(?:[\s,;]+{_NUMBER})*\s*")
_LABEL = re.compile(r"(\d+)(?:\t(?:[!-~]+|[^\w\s!-~]+))+")
"""A number and the name of the label for which it stands, such as a word or an emoji."""

Line = str | DroppedRow
"""A line without its end, or why it is dropped."""


def decoded_lines(file: BinaryIO, source: Source, max_bytes: int = MAX_LINE_BYTES) -> Iterator[Line]:
    r"""Yield the lines of a file from its position on; they end at \n, \r\n or \r. A byte order mark is removed.

    A line of more than `max_bytes`, a multiple of a million, is dropped. Bytes undefined in Windows-1252 become U+FFFD.
    At the end, a note on `source` counts the lines that were not UTF-8.
    """
    num_windows = 0
    for number, raw in enumerate(_raw_lines(file, max_bytes), start=1):
        line = raw.removeprefix("\ufeff") if number == 1 else raw
        data = b"" if line.isascii() else line.encode("utf-8", "surrogateescape")
        is_too_long = len(data or line) > max_bytes
        if is_too_long or "\0" in line:
            reason = f"with a line over {max_bytes // 1_000_000} MB" if is_too_long else NUL_BYTE
            beginning = line[: 4 * EXAMPLE_CHARS].encode("utf-8", "surrogateescape").decode(errors="replace")
            yield DroppedRow(reason, example(f"line {number}", beginning))
            continue
        if data:
            try:
                line = data.decode()
            except UnicodeDecodeError:
                line = data.decode("cp1252", "replace")
                num_windows += 1
        yield line
    if num_windows:
        source.notes.append(f"{counted(num_windows, 'line')} read as Windows-1252")


def _raw_lines(file: BinaryIO, max_chars: int) -> Iterator[str]:
    """Yield the lines of a file, bytes that are not UTF-8 as lone surrogates; a too long one is cut, but not below."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("surrogateescape"), translate=True)
    pieces: list[str] = []  # of an incomplete line
    num_chars = 0
    is_end = False
    while not is_end:
        chunk = file.read(_CHUNK_BYTES)
        is_end = not chunk
        piece, *lines = decoder.decode(chunk, final=is_end).split("\n")
        if num_chars <= max_chars:
            pieces.append(piece)
            num_chars += len(piece)
        if lines:
            yield "".join(pieces)
            pieces = [lines.pop()]
            num_chars = len(pieces[0])
            yield from lines
    if num_chars:
        yield "".join(pieces)


def head_lines(head: bytes) -> list[str]:
    """Return the lines in a file's first bytes, without the last one if it is incomplete and not the only one."""
    lines = list(decoded_lines(io.BytesIO(head), Source(name="", format="text")))
    is_cut = not head.endswith((b"\n", b"\r"))
    return [line for line in (lines[:-1] if is_cut and len(lines) > 1 else lines) if isinstance(line, str)]


# Plain text -----------------------------------------------------------------------------------------------------------


def text_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per line; per paragraph if `config.blank_line_separated`; per piece between separator lines.

    Paragraphs and pieces have their line breaks. One with a dropped line is dropped as a whole. Numbers and labels,
    which people store beside texts, are dropped rows unless the user sets the format.
    """
    texts = _texts(decoded_lines(file, source), source, config)
    if config.format != "auto":
        yield from texts
        return
    head = list(islice(texts, _HEAD_ROWS))
    has_labels = are_labels([row for row in head if isinstance(row, str)])
    for number, row in enumerate(chain(head, texts), start=1):
        if isinstance(row, str) and (_NUMBERS.fullmatch(row) or (has_labels and _LABEL.fullmatch(row))):
            yield DroppedRow(ONLY_A_LABEL, example(f"row {number:,}", row))
        else:
            yield row


def are_labels(lines: Sequence[str]) -> bool:
    """Return whether the first lines of a file are the names of the labels 0, 1, 2, ..."""
    found = [_LABEL.fullmatch(line) for line in lines]
    return [each and each[1] for each in found] == list(map(str, range(len(found))))


def _texts(lines: Iterator[Line], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield the lines, paragraphs or pieces."""
    if config.blank_line_separated:
        yield from _pieces(lines, _is_blank)
    elif config.separator is not None:
        source.notes.append(f"separated by lines that are {sanitize_line(config.separator, 30)}")
        separator = config.separator.rstrip()
        yield from _pieces(lines, lambda line: line.rstrip() == separator)
    else:
        head = head_of(lines)
        doubt = doubt_about_columns(line for line in head if isinstance(line, str))
        source.doubt = f"{doubt}; --format csv splits it into columns" if doubt else ""
        yield from head
        yield from lines


def _pieces(lines: Iterator[Line], is_end: Callable[[str], bool]) -> Iterator[Row]:
    """Yield the pieces between the lines for which `is_end`, except empty ones."""
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
            if num_chars > MAX_PIECE_CHARS:
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


def _is_blank(line: str) -> bool:
    return not line or line.isspace()


TEXT = Format(
    name="text", rows=of_one_file(text_rows), suffixes=(".txt", ".text"), other_suffixes=(".csv", ".tsv", ".tab")
)

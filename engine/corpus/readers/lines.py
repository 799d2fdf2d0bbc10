"""From bytes to lines, each decoded by itself: UTF-8, or else Windows-1252. Never holds a line without bound.

A file of old tweets mixes encodings from line to line, so no choice for the whole file is right. A line that can't be
used (a NUL byte, more than a megabyte) reaches the reader as an `DroppedRow` in its place: every line is one item, and
the reader can count.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from engine.corpus.types import DroppedRow, Source, example
from engine.text import EXAMPLE_CHARS

MAX_LINE_BYTES = 1_000_000
OVER_LONG_LINE = "with a line over 1 MB"
NUL_BYTE = "with a NUL byte"
_CHUNK_BYTES = 65_536

Line = str | DroppedRow
"""A line without its end, or why there is none."""


def decoded_lines(file: BinaryIO, source: Source) -> Iterator[Line]:
    r"""Return the lines of a file from where it stands; they end at \n, \r\n or \r, and a byte order mark is left out.

    What Windows-1252 leaves undefined becomes U+FFFD. At the end, `source` is told how many lines were not UTF-8.
    """
    num_windows = 0
    for number, line in enumerate(_raw_lines(file), start=1):
        data = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if len(line) > MAX_LINE_BYTES:
            yield DroppedRow(OVER_LONG_LINE, example(f"line {number}", _beginning(data)))
        elif b"\0" in line:
            yield DroppedRow(NUL_BYTE, example(f"line {number}", _beginning(data)))
        else:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                text = data.decode("cp1252", "replace")
                num_windows += 1
            yield text
    if num_windows:
        source.notes.append(f"{num_windows:,} line{'s' * (num_windows > 1)} read as Windows-1252")


def head_lines(head: bytes) -> list[str]:
    """Return the lines of a file's first bytes, without the last one where it is cut off and not the only one."""
    lines = list(decoded_lines(io.BytesIO(head), Source(name="", format="")))
    is_cut = not head.endswith((b"\n", b"\r"))
    return [line for line in (lines[:-1] if is_cut and len(lines) > 1 else lines) if isinstance(line, str)]


def _beginning(data: bytes) -> str:
    return data[: 4 * EXAMPLE_CHARS].decode(errors="replace")


def _raw_lines(file: BinaryIO) -> Iterator[bytes]:
    """Return the lines of a file without their ends; of one that is over the bound, only a beginning that is, too."""
    pending = b""  # a line whose end has not been seen
    is_after_cr = False
    while chunk := file.read(_CHUNK_BYTES):
        if is_after_cr:
            chunk = chunk.removeprefix(b"\n")  # the second half of an end of line
        if len(pending) > MAX_LINE_BYTES:
            chunk = _from_line_end(chunk)  # the rest of a line that is dropped
        is_after_cr = chunk.endswith(b"\r")
        if not chunk:
            continue
        data = pending + chunk if pending else chunk
        lines = data.splitlines()
        pending = lines.pop() if not data.endswith((b"\n", b"\r")) else b""
        yield from lines
    if pending:
        yield pending


def _from_line_end(chunk: bytes) -> bytes:
    """Return what is left of `chunk` from its first end of line on."""
    ends = [at for at in (chunk.find(b"\n"), chunk.find(b"\r")) if at >= 0]
    return chunk[min(ends) :] if ends else b""

"""From bytes to lines, each decoded separately as UTF-8, or else Windows-1252. Never buffers more than a line's limit.

Files of old tweets mix encodings from line to line, so no single encoding fits. A line that can't be used (a NUL byte,
more bytes than the limit) is a `DroppedRow` in its place, so that readers can count lines.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from engine.corpus.readers.reader import DroppedRow, Source, example
from engine.corpus.report import counted
from engine.text import EXAMPLE_CHARS

MAX_LINE_BYTES = 1_000_000
NUL_BYTE = "with a NUL byte"
_CHUNK_BYTES = 65_536
_HEAD_LINES = 1000
_HEAD_CHARS = 1_000_000

Line = str | DroppedRow
"""A line without its end, or why it is dropped."""


def decoded_lines(file: BinaryIO, source: Source, max_bytes: int = MAX_LINE_BYTES) -> Iterator[Line]:
    r"""Yield the lines of a file from its position on; they end at \n, \r\n or \r. A byte order mark is removed.

    A line of more than `max_bytes`, a multiple of a million, is dropped. Bytes undefined in Windows-1252 become U+FFFD.
    At the end, a note on `source` counts the lines that were not UTF-8.
    """
    num_windows = 0
    for number, line in enumerate(_raw_lines(file, max_bytes), start=1):
        data = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if len(line) > max_bytes:
            yield DroppedRow(
                f"with a line over {max_bytes // 1_000_000} MB", example(f"line {number}", _beginning(data))
            )
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
        source.notes.append(f"{counted(num_windows, 'line')} read as Windows-1252")


def first_lines(lines: Iterator[Line]) -> list[Line]:
    """Consume and return the first lines, by which a reader detects what the others are."""
    head: list[Line] = []
    num_chars = 0
    while len(head) < _HEAD_LINES and num_chars < _HEAD_CHARS and (line := next(lines, None)) is not None:
        head.append(line)
        num_chars += len(line) if isinstance(line, str) else 0
    return head


def head_lines(head: bytes) -> list[str]:
    """Return the lines in a file's first bytes, without the last one if it is incomplete and not the only one."""
    lines = list(decoded_lines(io.BytesIO(head), Source(name="", format="text")))
    is_cut = not head.endswith((b"\n", b"\r"))
    return [line for line in (lines[:-1] if is_cut and len(lines) > 1 else lines) if isinstance(line, str)]


def _beginning(data: bytes) -> str:
    return data[: 4 * EXAMPLE_CHARS].decode(errors="replace")


def _raw_lines(file: BinaryIO, max_bytes: int) -> Iterator[bytes]:
    """Yield the lines of a file without their ends; a too long one is cut, but still over the limit."""
    pending: list[bytes] = []  # the pieces of an incomplete line
    num_pending = 0
    is_after_cr = False
    while chunk := file.read(_CHUNK_BYTES):
        if is_after_cr:
            chunk = chunk.removeprefix(b"\n")  # the second half of \r\n
        if num_pending > max_bytes:
            chunk = _from_line_end(chunk)  # skip the rest of a too long line
        is_after_cr = chunk.endswith(b"\r")
        if not chunk:
            continue
        lines = chunk.splitlines()
        is_incomplete = not chunk.endswith((b"\n", b"\r"))
        if pending and (len(lines) > 1 or not is_incomplete):
            lines[0] = b"".join([*pending, lines[0]])
            pending, num_pending = [], 0
        if is_incomplete:
            pending.append(lines.pop())
            num_pending += len(pending[-1])
        yield from lines
    if pending:
        yield b"".join(pending)


def _from_line_end(chunk: bytes) -> bytes:
    """Return `chunk` from its first line end on."""
    ends = [at for at in (chunk.find(b"\n"), chunk.find(b"\r")) if at >= 0]
    return chunk[min(ends) :] if ends else b""

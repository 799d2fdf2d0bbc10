r"""Decodes escapes that an export left in its texts: `\u2019`, `\n`, `\/`, `\"`, and Python's `b'it\xe2\x80\x99s'`.

People write backslashes too (`:\`, `C:\new`), so no row is decoded by itself: the first rows of a source decide for all
of it, and in doubt nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain

from engine.corpus.readers.reader import Row, Source

_SAMPLE_ROWS = 1000
_SAMPLE_CHARS = 1_000_000
_MIN_ROWS = 3
"""Least rows of the sample with an escape."""
_MIN_CODES = 0.5
r"""Least share of the backslashes in codes, to decode `\u2019`: emoticons such as `:\` are left."""
_MIN_ESCAPES = 0.98
r"""Least share of the backslashes in any escape, to decode `\n`, `\"` and the like."""
_MIN_LITERALS = 0.9
"""Least share of the rows that are bytes literals, to decode them."""
_CODES = re.compile(r"(?:\\{1,2}u[0-9a-fA-F]{4})+")
_ESCAPES = re.compile(r"""(?:\\u[0-9a-fA-F]{4})+|\\U000[0-9a-f]{5}|\\x[0-9a-f]{2}|\\["'/\\nrt]""")
_SIGN_OF_ESCAPES = re.compile(r'\\["/n]')
_BYTES_LITERAL = re.compile(r"""b(?:'.*'|".*")""")
_IN_LITERAL = re.compile(r"""\\(?:x[0-9a-f]{2}|["'\\nrt])""")
_BEFORE_CODE = re.compile(r"\\{1,2}u")
_WHITE_SPACE = {"n": "\n", "r": "\n", "t": "\t"}


def decode_escapes(rows: Iterator[Row], source: Source) -> Iterator[Row]:
    """Return the rows of `source`, decoded if its first rows certainly have escapes; a note reports it."""
    head = _first(rows)
    found = _decoder_for([row for row in head if isinstance(row, str)])
    if found is None:
        return chain(head, rows)
    decode, what = found
    source.notes.append(f"{what} decoded")
    return (decode(row) if isinstance(row, str) else row for row in chain(head, rows))


def _first(rows: Iterator[Row]) -> list[Row]:
    """Consume and return the sample."""
    head: list[Row] = []
    num_chars = 0
    while len(head) < _SAMPLE_ROWS and num_chars < _SAMPLE_CHARS and (row := next(rows, None)) is not None:
        head.append(row)
        num_chars += len(row) if isinstance(row, str) else 0
    return head


def _decoder_for(texts: list[str]) -> tuple[Callable[[str], str], str] | None:
    """Return the function that decodes these texts, and the name of their escapes; None if in doubt."""
    num_literals = sum(_BYTES_LITERAL.fullmatch(text) is not None for text in texts)
    if num_literals >= max(_MIN_ROWS, _MIN_LITERALS * len(texts)):
        return _decoded_literal, "Python's bytes literals"
    texts = [text for text in texts if "\\" in text]
    num_backslashes = sum(text.count("\\") for text in texts)
    for pattern, sign, least_share, what in (
        (_ESCAPES, _SIGN_OF_ESCAPES, _MIN_ESCAPES, r"escapes such as \n and \/"),
        (_CODES, _CODES, _MIN_CODES, r"escapes such as \u2019"),
    ):
        in_escapes = sum(escape.count("\\") for text in texts for escape in pattern.findall(text))
        is_frequent = sum(sign.search(text) is not None for text in texts) >= _MIN_ROWS
        if is_frequent and in_escapes >= least_share * num_backslashes:
            return partial(pattern.sub, _decoded), what
    return None


def _decoded(escape: re.Match[str]) -> str:
    r"""Return the text of `\n` and the like, or of a run of codes, in which surrogates are pairs."""
    text = escape.group()
    if _BEFORE_CODE.match(text):
        return bytes.fromhex(_BEFORE_CODE.sub("", text)).decode("utf-16-be", "replace")
    if text[1] in "Ux":  # as Python writes them
        digits = text[2:]
        return chr(int(digits, 16))
    return _WHITE_SPACE.get(text[1], text[1])


def _decoded_literal(row: str) -> str:
    r"""Return the text of the UTF-8 in a bytes literal; other rows unchanged."""
    if not row.isascii() or not _BYTES_LITERAL.fullmatch(row):
        return row
    return _IN_LITERAL.sub(_byte, row[2:-1]).encode("latin-1").decode(errors="replace")


def _byte(escape: re.Match[str]) -> str:
    r"""Return the byte of `\xe2`, or the text of `\n` and the like."""
    text = escape.group()
    return bytes.fromhex(text[2:]).decode("latin-1") if text[1] == "x" else _WHITE_SPACE.get(text[1], text[1])

r"""Decodes escapes that an export left in its texts: `\u2019`, `\n`, `\/`, `\"`, as in SemEval's files.

People write backslashes too (`:\`, `C:\new`), so no row is decoded by itself: the first rows of a source decide for all
of it, and in doubt nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from engine.corpus.types import Row, Source

_SAMPLE_ROWS = 1000
_SAMPLE_CHARS = 1_000_000
_MIN_ROWS = 3
"""Least rows of the sample with an escape."""
_MIN_CODES = 0.5
r"""Least share of the backslashes in codes, to decode `\u2019`: emoticons such as `:\` are left."""
_MIN_ESCAPES = 0.98
r"""Least share of the backslashes in any escape, to decode `\n`, `\"` and the like."""
_CODES = re.compile(r"(?:\\{1,2}u[0-9a-fA-F]{4})+")
_ESCAPES = re.compile(r"""(?:\\u[0-9a-fA-F]{4})+|\\["'/\\nrt]""")
_SIGN_OF_ESCAPES = re.compile(r'\\["/n]')
_NAMES = {_CODES: r"\u2019", _ESCAPES: r"\n and \/"}
_BEFORE_CODE = re.compile(r"\\{1,2}u")
_WHITE_SPACE = {"n": "\n", "r": "\n", "t": "\t"}


def decode_escapes(rows: Iterator[Row], source: Source) -> Iterator[Row]:
    """Return the rows of `source`, decoded if its first rows certainly have escapes; a note reports it."""
    head = _first(rows)
    pattern = _pattern_for([row for row in head if isinstance(row, str) and "\\" in row])
    if pattern is None:
        return chain(head, rows)
    source.notes.append(f"escapes such as {_NAMES[pattern]} decoded")
    return (pattern.sub(_decoded, row) if isinstance(row, str) and "\\" in row else row for row in chain(head, rows))


def _first(rows: Iterator[Row]) -> list[Row]:
    """Consume and return the sample."""
    head: list[Row] = []
    num_chars = 0
    while len(head) < _SAMPLE_ROWS and num_chars < _SAMPLE_CHARS and (row := next(rows, None)) is not None:
        head.append(row)
        num_chars += len(row) if isinstance(row, str) else 0
    return head


def _pattern_for(texts: list[str]) -> re.Pattern[str] | None:
    """Return the pattern of the escapes in texts with backslashes; None if they are not certainly escapes."""
    num_backslashes = sum(text.count("\\") for text in texts)
    for pattern, sign, least_share in ((_ESCAPES, _SIGN_OF_ESCAPES, _MIN_ESCAPES), (_CODES, _CODES, _MIN_CODES)):
        in_escapes = sum(escape.count("\\") for text in texts for escape in pattern.findall(text))
        is_frequent = sum(sign.search(text) is not None for text in texts) >= _MIN_ROWS
        if is_frequent and in_escapes >= least_share * num_backslashes:
            return pattern
    return None


def _decoded(escape: re.Match[str]) -> str:
    r"""Return the text of `\n` and the like, or of a run of codes, in which surrogates are pairs."""
    text = escape.group()
    if _BEFORE_CODE.match(text):
        return bytes.fromhex(_BEFORE_CODE.sub("", text)).decode("utf-16-be", "replace")
    return _WHITE_SPACE.get(text[1], text[1])

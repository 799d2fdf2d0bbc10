"""What the readers of networks share: JSON with posts, and links in plain text.

Networks shorten the address of a link to `a.example/very/lo…`. In posts it is removed, or with --keep-links replaced by
the whole one; other text of a link, such as a mention, a hashtag or words, is part of the post.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import NOT_JSON, decode
from engine.corpus.readers.reader import PRIVATE_EXAMPLE, DroppedRow, Source
from engine.text import sanitize_line

_MAX_PATHS, _MAX_PATH_CHARS = 8, 60
_TYPED_LINK = re.compile(
    r"(?<! ) *(?:\(https?://[!-'*-~]+\)|(?<![a-z0-9])(?:https?://|www\.(?=[a-z0-9]))[!-~]*[a-z0-9/_=&#%~+-])",
    re.IGNORECASE,
)
"""An address in plain text, without the punctuation after it; Japanese words follow it without a blank."""


def items_at(paths: Collection[tuple[str, ...]], stream: JsonStream, source: Source) -> Iterator[object]:
    """Yield the items of the arrays at some paths of a document; a note lists the first others with items."""
    skipped: list[str] = []
    for path, items in stream.arrays():
        if path in paths:
            yield from items
        elif len(skipped) < _MAX_PATHS and next(items, None) is not None:
            skipped.append(sanitize_line(".".join(path), _MAX_PATH_CHARS))
    if skipped:
        source.notes.append(f"not read: {', '.join(skipped)}")


def values_of_lines(stream: JsonStream) -> Iterator[object]:
    """Yield the value of each line that is not blank, or a dropped row that lacks its location.

    A line that is not JSON may be private, so that its text is not shown.
    """
    while (line := stream.line()) is not None:
        if line.strip():
            try:
                yield decode(line)
            except ValueError:
                yield DroppedRow(NOT_JSON, PRIVATE_EXAMPLE)


def without_typed_links(text: str) -> str:
    """Return plain text without the links in it."""
    return _TYPED_LINK.sub("", text)

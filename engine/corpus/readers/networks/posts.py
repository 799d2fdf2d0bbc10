"""What the readers of networks share: reasons to drop a post, notes on what was changed, links, and JSON with posts.

Networks shorten the address of a link to `a.example/very/lo…`. In posts it is removed, or with --keep-links replaced by
the whole one; other text of a link, such as a mention, a hashtag or words, is part of the post.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass

from engine.corpus.files.streams import Member
from engine.corpus.readers.json_values import JsonFile, as_object, decode, values_of_lines
from engine.corpus.readers.reader import DroppedRow, Source
from engine.text import counted, sanitize_line

DIRECT_MESSAGE = "direct message"
FOR_FOLLOWERS = "for followers only"
SENSITIVE = "marked as sensitive"
PRIVATE_EXAMPLE = "its text is not shown"
"""Example of a dropped row whose text is private."""

_MAX_PATHS, _MAX_PATH_CHARS = 8, 60
_TYPED_LINK = re.compile(
    r"(?<! ) *(?:\(https?://[!-'*-~]+\)|(?<![a-z0-9])(?:https?://|www\.(?=[a-z0-9]))[!-~]*[a-z0-9/_=&#%~+-])",
    re.IGNORECASE,
)
"""An address in plain text, without the punctuation after it; Japanese words follow it without a blank."""


@dataclass
class PostCounts:
    """Counts for the notes of a source."""

    without_links: int = 0
    for_followers: int = 0
    with_warnings: int = 0

    def notes(self) -> Iterator[str]:
        """Yield a note for each count."""
        if self.without_links:
            yield f"links removed from {counted(self.without_links, 'post')}; --keep-links keeps them"
        if self.for_followers:
            yield f"{counted(self.for_followers, 'post')} for followers only included"
        if self.with_warnings:
            warned = counted(self.with_warnings, "post")
            yield f"content warnings of {warned} not included; --no-sensitive skips such posts"


def items_at(paths: Collection[tuple[str, ...]], file: JsonFile, source: Source) -> Iterator[object]:
    """Yield the items of the arrays at some paths of a document; a note lists the first others with items."""
    skipped: list[str] = []
    for path, items in file.arrays():
        if path in paths:
            yield from items
        elif len(skipped) < _MAX_PATHS and next(items, None) is not None:
            skipped.append(sanitize_line(".".join(path), _MAX_PATH_CHARS))
    if skipped:
        source.notes.append(f"not read: {', '.join(skipped)}")


def first_line(head: bytes) -> tuple[dict[str, object], bool]:
    """Return the object in the first line of a file, {} if it has none, and whether more lines follow."""
    line, _, rest = head.removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")
    try:
        return as_object(decode(line.decode(errors="replace"))), bool(rest.strip())
    except ValueError:
        return {}, False


def posts_of_lines(member: Member, source: Source) -> Iterator[object]:
    """Yield the value of each line that is not blank, or a dropped row that lacks its location.

    A line that is not JSON may be private, so that its text is not shown.
    """
    with closing(member.open()) as file:
        for _, value, _ in values_of_lines(file, source):
            yield DroppedRow(value.reason, PRIVATE_EXAMPLE) if isinstance(value, DroppedRow) else value


def is_address(shown: str, url: str) -> bool:
    """Return whether the text of a link is its address, possibly shortened, rather than words."""
    if len(shown.split()) != 1:
        return False
    bare = _bare(shown)
    if len(bare) < len(shown):
        return True
    bare = bare.rstrip(".…/")
    return "." in bare and _bare(url).startswith(bare)


def without_typed_links(text: str) -> str:
    """Return plain text without the links in it."""
    return _TYPED_LINK.sub("", text)


def _bare(address: str) -> str:
    """Return an address in lower case without protocol and www."""
    return address.lower().removeprefix("http://").removeprefix("https://").removeprefix("www.")

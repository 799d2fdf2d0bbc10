"""Reddit: dumps of Pushshift and Arctic Shift, the API's listings, and the export of one's own account.

Dumps have one submission or comment per line. A JSON file is a listing, an array of listings (a page of comments),
`{"data": [...]}`, or what tools store: `{"submissions": [...], "comments": [...]}`. The export has `posts.csv` and
`comments.csv`, and beside them messages, chats, drafts, votes and saved posts, which are never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives import reddit_export
from engine.corpus.readers.archives.posts import items_at, located, values_of_lines
from engine.corpus.readers.archives.reddit_posts import POST_KINDS, posts_in, row_of
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import decode, first_char
from engine.corpus.report import counted
from engine.corpus.types import DroppedRow, Member, Row, Source

_DUMP = re.compile(r"(?:R[CS]_(?:v2_)?\d{4}-\d\d|\w+_(?:comments|submissions))(?:\.(?:bz2|gz|xz|zst))?")
_LISTING = re.compile(rb'"kind"\s*:\s*"(?:Listing|t[1-6])"\s*,\s*"data"\s*:\s*\{')
_SUBMISSION = re.compile(rb'"selftext"\s*:')
_COMMENT = re.compile(rb'"body"\s*:')
_SUBREDDIT = re.compile(rb'"subreddit"\s*:')
_POST_KEYS = ("selftext", "body", "subreddit")
_PATHS = {(), ("data",), ("data", "children"), ("submissions",), ("posts",), ("comments",)}
"""Paths of the arrays that are read of a document; tools store messages and saved posts under others."""


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as JSON with submissions or comments, or as a file of an export."""
    if first_char(head) in {b"{", b"["}:
        is_comment = _COMMENT.search(head) is not None and _SUBREDDIT.search(head) is not None
        return is_comment or _SUBMISSION.search(head) is not None or _LISTING.search(head) is not None
    return reddit_export.looks_like(head)


def archive_root(name: str) -> str | None:
    """Return the folder of the export to which the file at a path belongs; None if it is no part of one.

    A dump, whose name has no suffix that shows its format, is an archive of its own: its path is returned.
    """
    folder, slash, file_name = name.rpartition("/")
    if _DUMP.fullmatch(file_name):
        return name
    return folder + slash if reddit_export.FILE_NAME.fullmatch(file_name) else None


def reddit_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per submission or comment of all members. Raises `CorpusError` if a file has other things."""
    for member in members:
        rows_of = _json_rows if first_char(member.head()) in {b"{", b"["} else reddit_export.rows
        with closing(member.open()) as file:
            yield from rows_of(file, source.name_of(member), source, config)


def _json_rows(file: BinaryIO, name: str, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per submission or comment of a JSON file; `name` is its name in messages."""
    stream = JsonStream(file, name)
    num_submissions = num_comments = 0
    for number, post in enumerate(_posts(stream, source), start=1):
        row = post if isinstance(post, DroppedRow) else row_of(post, config)
        if isinstance(row, str) and not isinstance(post, DroppedRow):
            num_submissions += "title" in post
            num_comments += "title" not in post
        yield located(row, "post", number)
    found = [counted(num_submissions, "submission") + " (title and text)"] if num_submissions else []
    found += [counted(num_comments, "comment")] if num_comments else []
    source.notes += [", ".join(found)] if found else []


def _posts(stream: JsonStream, source: Source) -> Iterator[dict[str, object] | DroppedRow]:
    """Yield the submissions and comments of a JSON file: one value per line, a single one, or a document."""
    if "\n" not in stream.beginning():
        stream.whole()  # extends the window to the end of the first line, or of the file
    first, _, rest = stream.beginning().partition("\n")
    if _starts_as_lines(first, rest):
        for value in values_of_lines(stream):
            yield from [value] if isinstance(value, DroppedRow) else posts_in(value)
        return
    if stream.peek() == "{" and _is_post(stream.whole()):
        yield from posts_in(stream.value())
    else:
        for item in items_at(_PATHS, stream, source):
            yield from posts_in(item)
    stream.expect_end()


def _starts_as_lines(first: str, rest: str) -> bool:
    """Return whether a file has one value per line, by its first line and what follows."""
    try:
        value = decode(first)
    except ValueError:
        return False
    return isinstance(value, dict) and (bool(rest.strip()) or _is_post(value))


def _is_post(value: object) -> bool:
    """Return whether a value is a single submission or comment, bare or wrapped."""
    return isinstance(value, dict) and (value.get("kind") in POST_KINDS or not value.keys().isdisjoint(_POST_KEYS))

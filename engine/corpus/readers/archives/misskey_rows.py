"""Misskey's export of an account's notes (`notes-2024-05-01-10-00-00.json`), and that of its forks.

An array of `{"id": ..., "text": plain text or null, "createdAt": ..., "fileIds": [], "replyId": id or null, "renoteId":
id or null, "poll": ..., "cw": content warning or null, "visibility": "public", "home", "followers" or "specified",
"visibleUserIds": [], "localOnly": bool}`. A note without text is a renote or a picture. Notes to specified users are
messages; they are never used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.posts import (
    DIRECT_MESSAGE,
    ONLY_A_LINK,
    PRIVATE_EXAMPLE,
    SENSITIVE,
    PostCounts,
    located,
    without_typed_links,
)
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import as_json, first_char
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError
from engine.text import escape

_KEYS = tuple(re.compile(rf'"{key}"\s*:'.encode()) for key in ("text", "fileIds", "renoteId", "visibility"))
_VISIBILITIES = ("public", "home", "followers")


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as an array of notes."""
    return first_char(head) == b"[" and all(key.search(head) for key in _KEYS)


def misskey_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per note. Raises `CorpusError` if the file has none, or is not an array."""
    counts = PostCounts()
    own_ids: set[str] = set()
    number = 0
    stream = JsonStream(file, source.name)
    for number, note in enumerate(stream.items(), start=1):
        yield located(_row(note, own_ids, config, counts), "note", number)
        if config.no_replies and isinstance(note, dict) and isinstance(note.get("id"), str):
            own_ids.add(note["id"])
    stream.expect_end()
    if not number:
        raise CorpusError(f"{source.name} has no notes.", "Give the export of an account that has notes.")
    source.notes += counts.notes()


def _row(note: object, own_ids: set[str], config: CorpusConfig, counts: PostCounts) -> Row:
    """Return the text of a note, or why it is dropped; `own_ids` are those of earlier notes."""
    if not isinstance(note, dict):
        return DroppedRow("not a post", as_json(note))
    if note.get("visibility") not in _VISIBILITIES:
        return DroppedRow(DIRECT_MESSAGE, PRIVATE_EXAMPLE)
    text = note.get("text")
    if not isinstance(text, str):
        return DroppedRow("renote" if note.get("renoteId") else "without text", "")
    reply_to = note.get("replyId")
    if config.no_replies and reply_to and str(reply_to) not in own_ids:
        return DroppedRow("reply", text)
    warning = note.get("cw")
    if config.no_sensitive and isinstance(warning, str):
        return DroppedRow(SENSITIVE, warning)
    without = text if config.keep_links else without_typed_links(text)
    if text and not without.strip():
        return DroppedRow(ONLY_A_LINK, text)
    counts.without_links += without != text
    counts.with_warnings += bool(warning)
    counts.for_followers += note["visibility"] == "followers"
    return escape(without)

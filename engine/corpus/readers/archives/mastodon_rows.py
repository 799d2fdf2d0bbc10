"""Mastodon's `outbox.json`: an ActivityStreams collection of an account's activities, of which its own posts are rows.

`{"type": "OrderedCollection", "orderedItems": [{"type": "Create", "actor": URL, "object": {"type": "Note", "content":
HTML, "summary": content warning or null, "sensitive": bool, "inReplyTo": URL or null, "to": [URL], "cc": [URL]}},
{"type": "Announce", ...}]}`. The outbox also contains direct messages; they are never used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.html_text import escape, html_to_text
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import as_json
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.errors import CorpusError

FILE_NAME = "outbox.json"
_OUTBOX = re.compile(rb'"orderedItems"\s*:|"OrderedCollection(?:Page)?"')
_AUDIENCE = re.compile(r"#Public$|^as:Public$|^Public$|/followers$")


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as an outbox."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") and _OUTBOX.search(head) is not None


def archive_root(name: str) -> str | None:
    """Return the folder of the archive whose outbox is at this path; None for any other file."""
    return name.removesuffix(FILE_NAME) if name.rpartition("/")[2] == FILE_NAME else None


def mastodon_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per activity; boosts are dropped. Raises `CorpusError` if the file is not an outbox.

    Since Mastodon 4.2 the key `orderedItems` occurs twice, first with an empty array (mastodon#31091).
    """
    is_outbox = False
    for path, items in JsonStream(file, source.name).arrays():
        if path != ("orderedItems",):
            continue
        is_outbox, number = True, 0
        for number, activity in enumerate(items, start=1):
            row = _row(activity, config)
            yield (
                DroppedRow(row.reason, example(f"activity {number:,}", row.example))
                if not isinstance(row, str)
                else row
            )
        if number:
            return
    if not is_outbox:
        raise CorpusError(
            f"{source.name} is not a Mastodon outbox: it has no orderedItems.",
            "Give outbox.json from Mastodon's export of your data, or the exported archive itself.",
        )


def _row(activity: object, config: CorpusConfig) -> Row:
    """Return the text of a post, or why the activity is dropped."""
    if not isinstance(activity, dict):
        return DroppedRow("not a post")
    note = activity.get("object")
    if activity.get("type") == "Announce":
        return DroppedRow("boost", note if isinstance(note, str) else "")
    if activity.get("type") != "Create" or not isinstance(note, dict) or note.get("type") != "Note":
        return DroppedRow("not a post", str(activity.get("type")))
    content = note.get("content")
    if not isinstance(content, str):
        return DroppedRow("not a text", as_json(content))
    if _is_message(note):
        return DroppedRow("direct message", "its text is not shown")
    if config.no_replies and _is_reply_to_others(note, activity.get("actor")):
        return DroppedRow("reply", html_to_text(content))
    if config.no_sensitive and (note.get("sensitive") is True or note.get("summary")):
        return DroppedRow("marked as sensitive", str(note.get("summary") or ""))
    return escape(html_to_text(content))


def _is_message(note: dict[str, object]) -> bool:
    """Return whether a note is a direct message: addressed neither to the public nor to the followers."""
    audience: list[object] = []
    for field in (note.get("to"), note.get("cc")):
        audience += field if isinstance(field, list) else [field]
    return not any(isinstance(each, str) and _AUDIENCE.search(each) for each in audience)


def _is_reply_to_others(note: dict[str, object], actor: object) -> bool:
    """Return whether a note replies to another account; a continued thread of one's own does not count."""
    reply_to = note.get("inReplyTo")
    is_own = isinstance(actor, str) and isinstance(reply_to, str) and reply_to.startswith(f"{actor}/")
    return bool(reply_to) and not is_own

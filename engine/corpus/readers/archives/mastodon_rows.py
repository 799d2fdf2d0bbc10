"""The outbox of Mastodon, Pleroma and Akkoma: an ActivityStreams collection of an account's activities.

`{"type": "OrderedCollection", "orderedItems": [{"type": "Create", "actor": URL, "object": {"type": "Note" or, for a
poll, "Question", "content": HTML, "summary": content warning or null, "sensitive": bool, "inReplyTo": URL or null,
"to": [URL], "cc": [URL]}}, {"type": "Announce", ...}]}`. Since Mastodon 4.2 `orderedItems` occurs twice, first with an
empty array (mastodon#31091). The array or its items alone are read too. The outbox also contains direct messages; they
are never used. Statuses as the API returns them are read by `mastodon_statuses`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives import mastodon_statuses
from engine.corpus.readers.archives.html_text import html_to_text
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import as_array, as_json, first_char
from engine.corpus.readers.posts import (
    BOOST,
    DIRECT_MESSAGE,
    FOR_FOLLOWERS,
    PRIVATE_EXAMPLE,
    SENSITIVE,
    PostCounts,
    located,
)
from engine.corpus.types import HEAD_BYTES, DroppedRow, NoTextsError, Row, Source
from engine.errors import CorpusError

FILE_NAME = "outbox.json"
_OUTBOX = re.compile(rb'"orderedItems"\s*:')
_ACTIVITY = (re.compile(rb'"actor"\s*:\s*"https?://'), re.compile(rb'"type"\s*:\s*"(?:Create|Announce)"'))
_NOTE = tuple(re.compile(rb'(?m)(?:^|[{,])[ \t]*+"%b"\s*:' % key) for key in (b"attributedTo", b"content"))
_TO, _CC = (re.compile(rb'"%b"\s*:\s*(\[[^\]]*\]|"[^"]*"|null)' % key) for key in (b"to", b"cc"))
_TO_ALL = re.compile(rb'(?:#|as:|")Public"')
_DIRECT = (re.compile(rb'(?m)(?:^|[{,])[ \t]*+"visibility"\s*:\s*"direct"'), _NOTE[1])
_ONE_ACTIVITY = re.compile(
    r'\s*\{\s*(?:"@context"\s*:\s*"[^"]*"\s*,\s*)?"id"\s*:\s*"[^"]*"\s*,\s*"type"\s*:\s*"(?:Create|Announce)"'
)
_PUBLIC = re.compile(r"#Public$|^as:Public$|^Public$")
_HINT = "Give outbox.json from Mastodon's export of your data, or the exported archive itself."
_ITEMS = "orderedItems"
_POSTS = ("Note", "Question")


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as an outbox, or as statuses of the API."""
    start = first_char(head)
    is_outbox = start == b"{" and _OUTBOX.search(head) is not None
    is_list = start == b"[" and all(key.search(head) for key in _ACTIVITY)
    is_list |= _ONE_ACTIVITY.match(head.removeprefix(codecs.BOM_UTF8).decode("latin-1")) is not None
    return is_outbox or is_list or mastodon_statuses.looks_like(head)


def has_private_posts(head: bytes) -> bool:
    """Return whether a file, or a piece of one, has posts with their audience: some may be direct messages."""
    return looks_like(head) or _has_private_notes(head) or all(each.search(head) for each in _DIRECT)


def _has_private_notes(head: bytes) -> bool:
    """Return whether a file has notes outside of an outbox, of which one is not addressed to the public."""
    if not all(key.search(head) for key in _NOTE):
        return False
    # The last note may be cut.
    audiences = zip_longest(
        _TO.findall(head), _CC.findall(head), fillvalue=b"" if len(head) < HEAD_BYTES else b'"Public"'
    )
    return not all(_TO_ALL.search(to + cc) for to, cc in audiences)


def archive_root(name: str) -> str | None:
    """Return the folder of the archive whose outbox is at this path; None for any other file."""
    return name.removesuffix(FILE_NAME) if name.rpartition("/")[2] == FILE_NAME else None


def mastodon_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per activity or status; boosts and direct messages are dropped.

    Raises `CorpusError` if the file is neither an outbox nor a list of statuses, or has no posts.
    """
    counts = PostCounts()
    stream = JsonStream(file, source.name)
    is_statuses = mastodon_statuses.looks_like(stream.beginning()[:HEAD_BYTES].encode(errors="replace"))
    rows_of = mastodon_statuses.status_rows if is_statuses else _outbox
    number = 0
    for number, row in enumerate(rows_of(stream, source, config, counts), start=1):
        yield located(row, "post", number)
    if not number:
        raise NoTextsError(f"{source.name} holds no posts.", "Its account never posted. " + _HINT)
    source.notes += counts.notes()


def _outbox(stream: JsonStream, source: Source, config: CorpusConfig, counts: PostCounts) -> Iterator[Row]:
    """Yield one row per activity, with examples that lack their location."""
    if _ONE_ACTIVITY.match(stream.beginning()):
        for activity in stream.values():
            yield _row(activity, config, counts)
        return
    is_outbox = False
    for path, items in stream.arrays():
        is_outbox |= path[-1:] == (_ITEMS,)
        if path[-1:] == (_ITEMS,) or not path:
            for activity in items:
                is_outbox = True
                yield _row(activity, config, counts)
    if not is_outbox:
        raise CorpusError(f"{source.name} is not a Mastodon outbox: it has no {_ITEMS}.", _HINT)


def _row(activity: object, config: CorpusConfig, counts: PostCounts) -> Row:
    """Return the text of a post, or why the activity is dropped."""
    if not isinstance(activity, dict):
        return DroppedRow("not a post", as_json(activity))
    note = activity.get("object")
    if activity.get("type") == "Announce":
        return DroppedRow(BOOST, note if isinstance(note, str) else "")
    if activity.get("type") != "Create" or not isinstance(note, dict) or note.get("type") not in _POSTS:
        return DroppedRow("not a post", str(activity.get("type")))
    actor = activity.get("actor")
    audience = _audience(note, actor)
    if audience == DIRECT_MESSAGE:
        return DroppedRow(DIRECT_MESSAGE, PRIVATE_EXAMPLE)
    content = note.get("content")
    if not isinstance(content, str):
        return DroppedRow("not a text", as_json(content))
    if config.no_replies and _is_reply_to_others(note, actor):
        return DroppedRow("reply", html_to_text(content).text)
    warning = note.get("summary")
    if config.no_sensitive and (note.get("sensitive") is True or warning):
        return DroppedRow(SENSITIVE, str(warning or ""))
    row = mastodon_statuses.visible_row(content, config, counts)
    if isinstance(row, str):
        counts.with_warnings += bool(warning)
        counts.for_followers += audience == FOR_FOLLOWERS
    return row


def _audience(note: dict[str, object], actor: object) -> str:
    """Return "" for a public post, `FOR_FOLLOWERS`, or else `DIRECT_MESSAGE`, also without a recipient.

    A message to a group is addressed to the group's followers, so that only the author's own followers count.
    """
    addressed = {each for field in (note.get("to"), note.get("cc")) for each in _strings(field)}
    if any(map(_PUBLIC.search, addressed)):
        return ""
    return FOR_FOLLOWERS if isinstance(actor, str) and f"{actor}/followers" in addressed else DIRECT_MESSAGE


def _strings(field: object) -> list[str]:
    """Return the strings of a list, or of a single value."""
    return [each for each in (as_array(field) or [field]) if isinstance(each, str)]


def _is_reply_to_others(note: dict[str, object], actor: object) -> bool:
    """Return whether a note replies to another account; a continued thread of one's own does not count."""
    reply_to = note.get("inReplyTo")
    is_own = isinstance(actor, str) and isinstance(reply_to, str) and reply_to.startswith(f"{actor}/")
    return bool(reply_to) and not is_own

"""Statuses as Mastodon's API returns them, and as `mastodon-archive` and similar tools store them.

`{"id": ..., "visibility": "public", "spoiler_text": "", "sensitive": bool, "in_reply_to_account_id": ..., "reblog":
null or a status, "content": HTML, "account": {"id": ...}}`: an array of them, one per line, or an array in an object
under `statuses`. Such files may also have the posts of others, so that posts for followers only are never used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.html_text import html_to_text
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import as_object, decode, first_char
from engine.corpus.readers.posts import (
    BOOST,
    DIRECT_MESSAGE,
    FOR_FOLLOWERS,
    ONLY_A_LINK,
    PRIVATE_EXAMPLE,
    SENSITIVE,
    PostCounts,
    items_at,
    values_of_lines,
)
from engine.corpus.types import DroppedRow, Row, Source
from engine.text import escape

_KEYS = tuple(re.compile(rf'"{key}"\s*:'.encode()) for key in ("visibility", "spoiler_text", "content"))
_PUBLIC = ("public", "unlisted", "local")  # local: Akkoma's, public on its server
_PRIVATE = {"private": FOR_FOLLOWERS, "direct": DIRECT_MESSAGE, "limited": DIRECT_MESSAGE}
_PATHS = {(), ("statuses",)}


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as statuses of the API."""
    return first_char(head) in {b"{", b"["} and all(key.search(head) for key in _KEYS)


def status_rows(stream: JsonStream, source: Source, config: CorpusConfig, counts: PostCounts) -> Iterator[Row]:
    """Yield one row per status, with examples that lack their location."""
    first = stream.beginning().partition("\n")[0]
    if first.startswith("{") and _is_status(first):
        statuses = values_of_lines(stream)
    else:
        statuses = items_at(_PATHS, stream, source)
    for status in statuses:
        yield status if isinstance(status, DroppedRow) else _row(as_object(status), config, counts)


def visible_row(content: str, config: CorpusConfig, counts: PostCounts) -> Row:
    """Return the visible text of a post's HTML, or why it is dropped."""
    visible = html_to_text(content, keeps_links=config.keep_links)
    if visible.num_links and not config.keep_links:
        if not visible.text:
            return DroppedRow(ONLY_A_LINK, html_to_text(content, keeps_links=True).text)
        counts.without_links += 1
    return escape(visible.text)


def _is_status(line: str) -> bool:
    """Return whether a line is a whole status."""
    try:
        return "content" in as_object(decode(line))
    except ValueError:
        return False


def _row(status: dict[str, object], config: CorpusConfig, counts: PostCounts) -> Row:
    """Return the text of a status, or why it is dropped."""
    content = status.get("content")
    if not isinstance(content, str):
        return DroppedRow("not a post", PRIVATE_EXAMPLE)
    if status.get("reblog"):
        return DroppedRow(BOOST, str(status.get("uri")))
    visibility = status.get("visibility")
    if visibility not in _PUBLIC:
        return DroppedRow(_PRIVATE.get(str(visibility), "not public"), PRIVATE_EXAMPLE)
    if config.no_replies and _is_reply_to_others(status):
        return DroppedRow("reply", html_to_text(content).text)
    warning = status.get("spoiler_text")
    if config.no_sensitive and (status.get("sensitive") is True or warning):
        return DroppedRow(SENSITIVE, str(warning or ""))
    row = visible_row(content, config, counts)
    counts.with_warnings += bool(warning) and isinstance(row, str)
    return row


def _is_reply_to_others(status: dict[str, object]) -> bool:
    """Return whether a status replies to another account."""
    own_id = as_object(status.get("account")).get("id")
    answered = status.get("in_reply_to_account_id")
    return bool(status.get("in_reply_to_id") or answered) and not (answered and answered == own_id)

"""Bluesky: the posts of a repository (`repo.car`), or of JSON records as the public API returns them.

A repository is a CAR file: a header, then blocks, each with its content id and DAG-CBOR that `libipld` decodes. Posts
are the blocks with `"$type": "app.bsky.feed.post"`; the commit block has the owner's `did`. Blocks come in no order, so
posts are given by the time their author wrote on them. JSON records may stand alone, one per line or in an array, bare
or wrapped (`{"uri": ..., "value": RECORD}`, `{"post": {"record": RECORD}}`), also in the API's pages of them.

Never holds more of a repository than its posts, and knows nothing of likes, follows or blocks of people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.car_blocks import car_blocks
from engine.corpus.readers.archives.html_text import as_escaped
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import NOT_JSON, as_json, decode, starts_as_lines
from engine.corpus.types import DroppedRow, Row, Source, example
from engine.errors import CorpusError

POST_TYPE = "app.bsky.feed.post"
MAX_POSTS_CHARS = 1 << 28
"""Posts are held until all are read; more than this (a million of full length) is no person's writing."""

_CAR_HEADER = re.compile(rb"^[\x00-\xff]{1,10}?[\xa2\xa3](?:eroots|gversion)")
_HEAD_BYTES = 65_536
_PAGES = ("records", "feed", "posts")
_PAGE_KEY = re.compile(rf'"(?:{"|".join(_PAGES)})"\s*:\s*\[')
_WRAPPERS = ("value", "post", "record")


def looks_like(head: bytes) -> bool:
    """Say whether a file begins as a repository, or as JSON with a Bluesky post."""
    is_json = head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))
    return _CAR_HEADER.match(head) is not None or (is_json and f'"{POST_TYPE}"'.encode() in head)


def bluesky_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Return one row per post, by time in a repository, in the file's order in JSON.

    Raises `CorpusError` where a repository can't be read or `libipld` is missing, or a JSON file breaks off.
    """
    head = file.read(_HEAD_BYTES)
    is_repository = _CAR_HEADER.match(head) is not None
    for post in _posts_by_time(file, head, source) if is_repository else _json_posts(file, head, source):
        if isinstance(post, DroppedRow):
            yield post
        elif config.no_replies and post.is_reply_to_others:
            yield DroppedRow("reply", example("a post", post.text))
        else:
            yield as_escaped(post.text)


@dataclass(frozen=True, order=True)
class _Post:
    created: str
    cid: bytes
    text: str
    answered: str
    """The address of the post that it answers, or ""."""
    own_did: str = ""

    @property
    def is_reply_to_others(self) -> bool:
        """Whether it answers somebody else; going on with one's own thread does not."""
        return bool(self.answered) and not (self.own_did and self.answered.startswith(f"at://{self.own_did}/"))


def _post(record: dict[str, object], cid: bytes = b"", own_did: str = "") -> _Post | DroppedRow:
    """Return what a record of a post says."""
    text, created, reply = record.get("text"), record.get("createdAt"), record.get("reply")
    if not isinstance(text, str):
        return DroppedRow("not a text", example("a post", as_json(text)))
    parent = reply.get("parent") if isinstance(reply, dict) else None
    uri = parent.get("uri") if isinstance(parent, dict) else None
    answered = uri if isinstance(uri, str) else "unknown" if reply else ""
    return _Post(created if isinstance(created, str) else "", cid, text, answered, own_did)


def _posts_by_time(file: BinaryIO, head: bytes, source: Source) -> Iterator[_Post | DroppedRow]:
    """Yield the posts of a repository, the oldest first, after those without a text."""
    posts: list[_Post] = []
    own_did = ""
    num_chars = 0
    for cid, block in car_blocks(file, head, source.name):
        if not isinstance(block, dict):
            continue
        if block.get("$type") == POST_TYPE:
            post = _post(block, cid)
            if isinstance(post, DroppedRow):
                yield post
                continue
            posts.append(post)
            num_chars += len(post.text)
            if num_chars > MAX_POSTS_CHARS:
                raise CorpusError(f"{source.name} holds too many posts to sort them.", "Give them as JSON lines.")
        elif isinstance(block.get("did"), str) and "rev" in block:
            own_did = str(block["did"])
    for post in sorted(posts):
        yield replace(post, own_did=own_did)


def _json_posts(file: BinaryIO, head: bytes, source: Source) -> Iterator[_Post | DroppedRow]:
    """Yield the posts of JSON records."""
    stream = JsonStream(file, source.name, head)
    beginning = stream.beginning()
    if starts_as_lines(beginning):
        number = 0
        while (line := stream.line()) is not None:
            number += 1
            if line.strip():
                try:
                    yield from _unwrapped(decode(line), f"line {number:,}")
                except ValueError:
                    yield DroppedRow(NOT_JSON, example(f"line {number:,}", line))
    elif beginning.startswith("[") or _PAGE_KEY.search(beginning):
        for path, items in stream.arrays():
            for number, item in enumerate(items if path in {(), *((key,) for key in _PAGES)} else (), start=1):
                yield from _unwrapped(item, f"record {number:,}")
    else:
        yield from _unwrapped(stream.value(), "the record")


def _unwrapped(value: object, where: str) -> Iterator[_Post | DroppedRow]:
    """Yield the post that a value is or wraps, or the posts of a page."""
    pages = [value[key] for key in _PAGES if isinstance(value.get(key), list)] if isinstance(value, dict) else []
    if pages:
        for item in pages[0]:
            yield _record(item, where)
    else:
        yield _record(value, where)


def _record(value: object, where: str) -> _Post | DroppedRow:
    """Return the post that a value is or wraps, or why it is none."""
    own_did = ""
    for _ in range(1 + len(_WRAPPERS)):
        if not isinstance(value, dict):
            break
        if value.get("$type") == POST_TYPE:
            return _post(value, own_did=own_did)
        if "reason" in value and "post" in value:
            return DroppedRow("repost", example(where, "its reason says so"))
        own_did = _did(value.get("uri")) or own_did
        value = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), dict)), None)
    return DroppedRow("not a post", example(where, "a record of another kind"))


def _did(uri: object) -> str:
    """Return whose record is at an address "at://DID/collection/key"."""
    return uri.removeprefix("at://").partition("/")[0] if isinstance(uri, str) else ""

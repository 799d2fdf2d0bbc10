"""Bluesky: the posts of a repository (`repo.car`), or of JSON records as the public API returns them.

A repository is a CAR file: a header, then blocks of a content id and DAG-CBOR, which `libipld` decodes. Posts are the
blocks with `"$type": "app.bsky.feed.post"`; the commit block has the owner's `did`. Blocks are unordered, so posts are
sorted by `createdAt`. A JSON file has a single record, one per line or an array of them, bare or wrapped (`{"uri": ...,
"value": RECORD}`, `{"post": {"record": RECORD}}`), or the API's pages. A link in a post is a facet: a range of bytes of
its text, which shows the address shortened, and the whole address.

A repository is public, all of it; messages and settings are not in it. Never stores anything of it except its posts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.bluesky_links import Link, links_of, with_whole_links, without_links
from engine.corpus.readers.archives.car_blocks import car_blocks
from engine.corpus.readers.archives.posts import items_at, values_of_lines
from engine.corpus.readers.json_files.json_stream import JsonStream
from engine.corpus.readers.json_files.json_values import (
    as_array,
    as_json,
    as_object,
    first_char,
    starts_as_lines,
)
from engine.corpus.readers.reader import (
    HEAD_BYTES,
    ONLY_A_LINK,
    REPOST,
    SENSITIVE,
    DroppedRow,
    Format,
    PostCounts,
    Row,
    Source,
    example,
    of_one_file,
)
from engine.errors import CorpusError
from engine.text import escape

POST_TYPE = "app.bsky.feed.post"
MAX_POSTS_CHARS = 1 << 28
"""Limit of the posts in memory, which are sorted at the end: a million of full length."""

_CAR_HEADER = re.compile(rb"^[\x00-\xff]{1,10}?[\xa2\xa3](?:eroots|gversion)")
_IS_POST = re.compile(rf'"\$type"\s*:\s*"{re.escape(POST_TYPE)}"'.encode())
_PAGES = ("records", "feed", "posts")
_PAGE_KEY = re.compile(rf'"(?:{"|".join(_PAGES)})"\s*:\s*\[')
_PATHS = {(), *((key,) for key in _PAGES)}
_WRAPPERS = ("value", "post", "record", "commit")
"""The last one is of the event stream Jetstream."""


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a repository, or as JSON with a Bluesky post."""
    is_json = first_char(head) in {b"{", b"["} and _IS_POST.search(head) is not None
    return is_json or _CAR_HEADER.match(head) is not None


def bluesky_rows(file: BinaryIO, source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per post: sorted by time from a repository, in the file's order from JSON.

    Raises `CorpusError` if a repository is damaged, `libipld` is not installed, or a JSON file is truncated.
    """
    head = file.read(HEAD_BYTES)
    is_repository = _CAR_HEADER.match(head) is not None
    counts = PostCounts()
    for post in _posts_by_time(file, head, source) if is_repository else _json_posts(file, head, source):
        row = post if isinstance(post, DroppedRow) else _row(post, config)
        if isinstance(row, str) and isinstance(post, _Post):
            counts.without_links += row != post.text and not config.keep_links
        yield escape(row) if isinstance(row, str) else row
    source.notes += counts.notes()


@dataclass(frozen=True, order=True)
class _Post:
    created: str
    cid: bytes
    text: str
    reply_to: str
    """The URI of the post to which it replies, or ""."""
    own_did: str = ""
    links: tuple[Link, ...] = ()
    is_sensitive: bool = False

    @property
    def is_reply_to_others(self) -> bool:
        """Whether it replies to another account; a continued thread of one's own does not count."""
        return bool(self.reply_to) and not (self.own_did and self.reply_to.startswith(f"at://{self.own_did}/"))


def _post(record: dict[str, object], cid: bytes = b"", own_did: str = "") -> _Post | DroppedRow:
    """Parse the record of a post."""
    text, created, reply = record.get("text"), record.get("createdAt"), record.get("reply")
    if not isinstance(text, str):
        return DroppedRow("not a text", example("a post", as_json(text)))
    uri = as_object(as_object(reply).get("parent")).get("uri")
    reply_to = uri if isinstance(uri, str) else "unknown" if reply else ""
    return _Post(
        created if isinstance(created, str) else "",
        cid,
        text,
        reply_to,
        own_did,
        links=tuple(links_of(record.get("facets"))),
        is_sensitive=_is_sensitive(record.get("labels")),
    )


def _is_sensitive(labels: object) -> bool:
    """Return whether the author gave a post a label of content, such as "nudity"; "!" starts those of other uses."""
    names = [as_object(each).get("val") for each in as_array(as_object(labels).get("values"))]
    return any(isinstance(name, str) and not name.startswith("!") for name in names)


def _row(post: _Post, config: CorpusConfig) -> Row:
    """Return the text of a post, or why it is dropped."""
    if config.no_replies and post.is_reply_to_others:
        return DroppedRow("reply", example("a post", post.text))
    if config.no_sensitive and post.is_sensitive:
        return DroppedRow(SENSITIVE, example("a post", post.text))
    text = with_whole_links(post.text, post.links)
    without = text if config.keep_links else without_links(post.text, post.links)
    return without if without.strip() or not text else DroppedRow(ONLY_A_LINK, example("a post", text))


def _posts_by_time(file: BinaryIO, head: bytes, source: Source) -> Iterator[_Post | DroppedRow]:
    """Yield the posts of a repository, the dropped ones first, then by time."""
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
                raise CorpusError(f"{source.name} has too many posts to sort.", "Convert them to JSON lines.")
        elif isinstance(block.get("did"), str) and "rev" in block:
            own_did = str(block["did"])
    for post in sorted(posts):
        yield replace(post, own_did=own_did)


def _json_posts(file: BinaryIO, head: bytes, source: Source) -> Iterator[_Post | DroppedRow]:
    """Yield the posts of a JSON file in order."""
    stream = JsonStream(file, source.name, head)
    beginning = stream.beginning()
    if starts_as_lines(beginning):
        for number, value in enumerate(values_of_lines(stream), start=1):
            where = f"line {number:,}"
            if isinstance(value, DroppedRow):
                yield DroppedRow(value.reason, example(where, value.example))
            else:
                yield from _unwrapped(value, where)
    elif beginning.startswith("[") or _PAGE_KEY.search(beginning):
        for number, item in enumerate(items_at(_PATHS, stream, source), start=1):
            yield from _unwrapped(item, f"record {number:,}")
    else:
        yield from _unwrapped(stream.value(), "the record")


def _unwrapped(value: object, where: str) -> Iterator[_Post | DroppedRow]:
    """Yield the post of a bare or wrapped record, or the posts of a page."""
    pages = [value[key] for key in _PAGES if isinstance(value.get(key), list)] if isinstance(value, dict) else []
    if pages:
        for item in pages[0]:
            yield _record(item, where)
    else:
        yield _record(value, where)


def _record(value: object, where: str) -> _Post | DroppedRow:
    """Return the post of a bare or wrapped record, or why it is dropped."""
    own_did = ""
    for _ in range(1 + len(_WRAPPERS)):
        if not isinstance(value, dict):
            break
        if value.get("$type") == POST_TYPE:
            return _post(value, own_did=own_did)
        if "reason" in value and "post" in value:
            return DroppedRow(REPOST, example(where, "an entry with a reason"))
        own_did = _did(value.get("uri")) or own_did
        value = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), dict)), None)
    return DroppedRow("not a post", example(where, "a record of another kind"))


def _did(uri: object) -> str:
    """Return the DID of a URI "at://DID/collection/key", or ""."""
    return uri.removeprefix("at://").partition("/")[0] if isinstance(uri, str) else ""


BLUESKY = Format(
    name="bluesky",
    rows=of_one_file(bluesky_rows),
    suffixes=(".car",),
    other_suffixes=(".json", ".jsonl", ".ndjson"),
    looks_like=looks_like,
    binary_name="Bluesky repository",
)

"""Bluesky: the posts of a repository (`repo.car`), or of JSON records as the public API returns them.

A repository is a CAR file (content addressable archive, version 1): length-prefixed sections, first a header, then
blocks of a content id and DAG-CBOR, which `libipld` decodes one by one. Its `decode_car` would decode all of them at
once, of any length, and refuses pictures. Posts are the blocks with `"$type": "app.bsky.feed.post"`; the commit block
has the owner's `did`. Blocks are unordered, so posts are sorted by `createdAt`. A JSON file has a single record, one
per line or an array of them, bare or wrapped (`{"uri": ..., "value": RECORD}`, `{"post": {"record": RECORD}}`), or the
API's pages. A link in a post is a facet: a range of bytes of its text, which shows the address shortened, and the whole
address.

A repository is public, all of it; messages and settings are not in it. Never stores anything of it except its posts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from engine.config.corpus import CorpusConfig
from engine.corpus.files.streams import Member
from engine.corpus.readers.json_values import JsonFile, as_array, as_json, as_object, first_char
from engine.corpus.readers.networks.posts import (
    SENSITIVE,
    PostCounts,
    first_line,
    is_address,
    items_at,
    posts_of_lines,
    without_typed_links,
)
from engine.corpus.readers.reader import NOT_A_TEXT, ONLY_A_LINK, REPOST, DroppedRow, Format, Row, Source, example
from engine.errors import CorpusError
from engine.text import escape

MAX_BLOCK_BYTES = 4 << 20
"""Servers refuse records over 1 MB; a megabyte of empty arrays takes 60 MB when decoded."""
MAX_POSTS_CHARS = 1 << 28
"""Limit of the posts in memory, which are sorted at the end: a million of full length."""

_POST = "app.bsky.feed.post"
_LINK = "app.bsky.richtext.facet#link"
_CAR_HEADER = re.compile(rb"^[\x00-\xff]{1,10}?[\xa2\xa3](?:eroots|gversion)")
_MAX_VARINT_BYTES = 9
_RAW = b"\x01\x55"
"""Prefix of the content id of raw bytes."""
_IS_POST = re.compile(rf'"\$type"\s*:\s*"{re.escape(_POST)}"'.encode())
_PAGES = ("records", "feed", "posts")
_WRAPPERS = ("value", "post", "record", "commit")
"""The last one is of the event stream Jetstream."""


def looks_like(head: bytes) -> bool:
    """Return whether a file starts as a repository, or as JSON with a Bluesky post."""
    is_json = first_char(head) in {b"{", b"["} and _IS_POST.search(head) is not None
    return is_json or _CAR_HEADER.match(head) is not None


def bluesky_rows(members: Sequence[Member], source: Source, config: CorpusConfig) -> Iterator[Row]:
    """Yield one row per post: sorted by time from a repository, in the file's order from JSON.

    Raises `CorpusError` if a repository is damaged, `libipld` is not installed, or a JSON file is truncated.
    """
    read_posts = _repository_posts if _CAR_HEADER.match(members[0].head()) else _json_posts
    num_without_links = 0
    for post, own_did in read_posts(members[0], source):
        row = post if isinstance(post, DroppedRow) else _row(post, own_did, config)
        if isinstance(post, _Post) and isinstance(row, str):
            num_without_links += row != post.text and not config.keep_links
        yield escape(row) if isinstance(row, str) else row
    source.notes += PostCounts(without_links=num_without_links).notes()


@dataclass(frozen=True, order=True)
class _Post:
    created: str
    cid: bytes
    text: str
    reply_to: str
    """The URI of the post to which it replies, or ""."""
    links: tuple[tuple[int, int, str], ...]
    """Offsets of each link's start and end in the UTF-8 text, and its whole address."""
    is_sensitive: bool


_Found = tuple[_Post | DroppedRow, str]
"""A post, or why it is dropped, and the `did` of its author or ""."""


def _post(record: dict[str, object], cid: bytes = b"") -> _Post | DroppedRow:
    text, created, reply = record.get("text"), record.get("createdAt"), record.get("reply")
    if not isinstance(text, str):
        return DroppedRow(NOT_A_TEXT, example("a post", as_json(text)))
    uri = as_object(as_object(reply).get("parent")).get("uri")
    reply_to = uri if isinstance(uri, str) else "unknown" if reply else ""
    labels = [as_object(each).get("val") for each in as_array(as_object(record.get("labels")).get("values"))]
    is_sensitive = any(isinstance(name, str) and not name.startswith("!") for name in labels)  # "nudity"; not "!hide"
    links = tuple(_links(record.get("facets")))
    return _Post(created if isinstance(created, str) else "", cid, text, reply_to, links, is_sensitive)


def _links(facets: object) -> Iterator[tuple[int, int, str]]:
    """Yield the links of a post's facets, whatever else is in them."""
    for facet in map(as_object, as_array(facets)):
        index = as_object(facet.get("index"))
        start, end = _offset(index.get("byteStart")), _offset(index.get("byteEnd"))
        for feature in map(as_object, as_array(facet.get("features"))):
            url = feature.get("uri")
            if feature.get("$type") == _LINK and isinstance(url, str) and 0 <= start < end:
                yield start, end, url


def _offset(value: object) -> int:
    """Return an offset of a facet; -1 if it is invalid. JSON's numbers are decoded as floats."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1 << 31 else -1


def _row(post: _Post, own_did: str, config: CorpusConfig) -> Row:
    """Return the text of a post, or why it is dropped; a continued thread of the author is no reply to others."""
    is_own_thread = own_did and post.reply_to.startswith(f"at://{own_did}/")
    if config.no_replies and post.reply_to and not is_own_thread:
        return DroppedRow("reply", example("a post", post.text))
    if config.no_sensitive and post.is_sensitive:
        return DroppedRow(SENSITIVE, example("a post", post.text))
    text = _text(post, keeps_links=config.keep_links)
    if post.text and not text.strip():
        return DroppedRow(ONLY_A_LINK, example("a post", _text(post, keeps_links=True)))
    return text


def _text(post: _Post, *, keeps_links: bool) -> str:
    """Return a post's text with each shortened address whole, or without addresses and the blanks before them."""
    data = post.text.encode("utf-8", "surrogatepass")
    pieces: list[bytes] = []
    position = 0
    for start, end, url in sorted(post.links):
        if start >= position and is_address(data[start:end].decode(errors="replace"), url):
            before = data[position:start]
            pieces += [before, url.encode("utf-8", "surrogatepass")] if keeps_links else [before.rstrip(b" ")]
            position = end
    text = b"".join([*pieces, data[position:]]).decode("utf-8", "replace")
    return text if keeps_links else without_typed_links(text)


def _repository_posts(member: Member, source: Source) -> Iterator[_Found]:
    """Yield the posts of a repository, the dropped ones first, then by time."""
    posts: list[_Post] = []
    own_did = ""
    num_chars = 0
    for cid, block in _blocks(member, source.name):
        if not isinstance(block, dict):
            continue
        if block.get("$type") == _POST:
            post = _post(block, cid)
            if isinstance(post, DroppedRow):
                yield post, ""
                continue
            posts.append(post)
            num_chars += len(post.text)
            if num_chars > MAX_POSTS_CHARS:
                raise CorpusError(f"{source.name} has too many posts to sort.", "Convert them to JSON lines.")
        elif isinstance(block.get("did"), str) and "rev" in block:
            own_did = str(block["did"])
    yield from ((post, own_did) for post in sorted(posts))


def _blocks(member: Member, name: str) -> Iterator[tuple[bytes, object]]:
    """Yield content id and decoded value of each block that is DAG-CBOR; others are pictures.

    Raises `CorpusError` if the file is damaged or `libipld` is not installed.
    """
    try:
        import libipld
    except ImportError as error:
        raise CorpusError(
            f"{name} is a Bluesky repository, and the package libipld is not installed.",
            "Install it in the program's environment: pip install libipld",
        ) from error
    with closing(member.open()) as file:
        try:
            header = libipld.decode_dag_cbor(_section(file, name))
            if not isinstance(header, dict) or header.get("version") != 1:
                raise _damaged(name, "its header is not version 1")
            while section := _section(file, name):
                # version, codec, hash function and hash length are below 128 in every repository: one byte each
                length = 4 + section[3] if len(section) > 4 and section[0] == 1 and max(section[1:4]) < 0x80 else 0
                if not 0 < length < len(section):
                    raise _damaged(name, "a block has no content id")
                if not section.startswith(_RAW):
                    yield section[:length], libipld.decode_dag_cbor(section[length:])
        except (ValueError, RecursionError) as error:
            raise _damaged(name, "a block is not DAG-CBOR") from error


def _section(file: BinaryIO, name: str) -> bytes:
    """Read a section of a repository after its length, a number of 7 bits a byte; b"" at the end of the file."""
    length = 0
    for count in range(_MAX_VARINT_BYTES):
        byte = file.read(1)
        if not byte and not count:
            return b""
        if not byte:
            raise _damaged(name, "it is truncated")
        length |= (byte[0] & 0x7F) << 7 * count
        if byte[0] < 0x80:
            break
    if not 0 < length <= MAX_BLOCK_BYTES:
        raise _damaged(name, f"a block has an invalid length, {length:,} bytes")
    data = file.read(length)
    if len(data) < length:
        raise _damaged(name, "it is truncated")
    return data


def _damaged(name: str, problem: str) -> CorpusError:
    return CorpusError(
        f"{name} is a damaged Bluesky repository: {problem}.", "Export your data again in the app's settings."
    )


def _json_posts(member: Member, source: Source) -> Iterator[_Found]:
    """Yield the posts of a JSON file in order."""
    first, has_more = first_line(member.head())
    if first and has_more:
        for number, value in enumerate(posts_of_lines(member, source), start=1):
            where = f"line {number:,}"
            if isinstance(value, DroppedRow):
                yield DroppedRow(value.reason, example(where, value.example)), ""
            else:
                yield from _unwrapped(value, where)
        return
    document = JsonFile(member, source)
    is_page = not document.is_array and not as_object(document.opened(document.root())).keys().isdisjoint(_PAGES)
    items = items_at({(key,) for key in _PAGES}, document, source) if is_page else document.items()
    for number, item in enumerate(items, start=1):
        yield from _unwrapped(item, f"record {number:,}")


def _unwrapped(value: object, where: str) -> Iterator[_Found]:
    """Yield the post of a bare or wrapped record, or the posts of a page."""
    pages = [value[key] for key in _PAGES if isinstance(value.get(key), list)] if isinstance(value, dict) else []
    for record in pages[0] if pages else [value]:
        yield _record(record, where)


def _record(value: object, where: str) -> _Found:
    """Return the post of a bare or wrapped record, or why it is dropped."""
    own_did = ""
    for _ in range(1 + len(_WRAPPERS)):
        if not isinstance(value, dict):
            break
        if value.get("$type") == _POST:
            return _post(value), own_did
        if "reason" in value and "post" in value:
            return DroppedRow(REPOST, example(where, "an entry with a reason")), own_did
        uri = value.get("uri")  # at://DID/collection/key
        own_did = (uri.removeprefix("at://").partition("/")[0] if isinstance(uri, str) else "") or own_did
        value = next((value[key] for key in _WRAPPERS if isinstance(value.get(key), dict)), None)
    return DroppedRow("not a post", example(where, "a record of another kind")), own_did


BLUESKY = Format(
    name="bluesky",
    rows=bluesky_rows,
    suffixes=(".car",),
    other_suffixes=(".json", ".jsonl", ".ndjson"),
    looks_like=looks_like,
    binary_name="Bluesky repository",
)

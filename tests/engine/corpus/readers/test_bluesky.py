"""Posts are read from Bluesky's repositories and JSON records. `tests.fuzz` tries damaged ones."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import libipld
import pytest
from syrupy.assertion import SnapshotAssertion

from engine.corpus.readers.archives.bluesky_rows import looks_like
from engine.corpus.readers.archives.car_blocks import MAX_BLOCK_BYTES
from engine.corpus.readers.archives.posts import without_typed_links
from engine.text import clean
from tests.engine.corpus.reading import Case, read, recorded_cases, texts_of


@recorded_cases("bluesky")
def test_records_are_read_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    assert case.read() == snapshot


def record(text: object, created: str = "2024-05-01T10:00:00.000Z", parent: str = "") -> dict[str, Any]:
    post: dict[str, Any] = {"$type": "app.bsky.feed.post", "text": text, "createdAt": created, "langs": ["en"]}
    uri = f"at://{parent}/app.bsky.feed.post/1"
    return {**post, "reply": {"root": {"uri": uri}, "parent": {"uri": uri, "cid": "x"}}} if parent else post


OWN, OTHER = "did:plc:mia", "did:plc:tom"
URI = f"at://{OWN}/app.bsky.feed.post/1"
FORMS = {
    "alone": record("hello"),
    "a record with its address": {"uri": URI, "cid": "x", "value": record("hello")},
    "a post of a feed": {"uri": URI, "author": {"did": OWN}, "record": record("hello")},
    "an entry of a feed": {"post": {"uri": URI, "record": record("hello")}, "reply": {"root": {}}},
    "an event": {
        "did": OWN,
        "kind": "commit",
        "commit": {"operation": "create", "rkey": "x", "record": record("hello")},
    },
}


@pytest.mark.parametrize("name", FORMS)
def test_a_record_is_found_in_every_known_wrapper(name: str) -> None:
    form = FORMS[name]
    once, twice = json.dumps(form), [form, form]
    contents = [once, json.dumps(twice), json.dumps(form, indent=2), "\ufeff" + json.dumps(twice, indent=2)]
    contents += [
        f"{once}\n{once}\n\n",
        *(json.dumps({"cursor": "x", key: twice}) for key in ("records", "feed", "posts")),
    ]
    contents += [f'{{"{key}": [{once}]}}\n' * 2 for key in ("records", "feed", "posts")]
    for content in contents:
        times = " (2 times)" if content.count('"hello"') == 2 else ""
        assert read({"a.json": content}) == f"a.json, bluesky\n+ 'hello'{times}"


def test_links_are_found_in_linear_time() -> None:
    for piece in (" ", "https://", "(https://a", "https://!", "www."):
        without_typed_links(piece * 200_000)  # minutes, if the expression backtracked


# Repositories ---------------------------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7)


def section(data: bytes) -> bytes:
    return varint(len(data)) + data


ID, RAW_ID = b"\x01\x71\x12\x20", b"\x01\x55\x12\x20"


def car(*blocks: object, version: int = 1) -> bytes:
    """Return a repository of these blocks and a raw one; the first is the root."""
    encoded = [libipld.encode_dag_cbor(block) for block in blocks]
    ids = [ID + hashlib.sha256(data).digest() for data in encoded]
    header = libipld.encode_dag_cbor({"roots": ids[:1], "version": version})
    raw = RAW_ID + bytes(32) + b"\xff\xd8 a picture"
    return section(header) + section(raw) + b"".join(section(a + b) for a, b in zip(ids, encoded, strict=True))


COMMIT = {"did": OWN, "rev": "3k", "version": 3, "prev": None, "sig": b"123"}
LIKE = {"$type": "app.bsky.feed.like", "createdAt": "2024", "subject": {"uri": "at://x", "cid": "y"}}
TREE = {"e": [{"k": b"app.bsky.feed.post/1", "p": 0, "t": None}], "l": None}
HELLO = record("hello")
LINK = {"$type": "app.bsky.richtext.facet#link", "uri": "https://a.example/long/path"}
LINKED = {
    **record("é see a.example/lon... now"),
    "facets": [{"index": {"byteStart": 7, "byteEnd": 23}, "features": [LINK]}],
}
REPOSITORIES: dict[str, tuple[bytes, tuple[dict[str, Any], ...]]] = {
    "posts are sorted by time and other records ignored": (
        car(COMMIT, record("late", "2024-05-02"), LIKE, TREE, record("early", "2024-05-01"), [1, 2], "text"),
        ({},),
    ),
    "replies to others are dropped by option only and own threads kept": (
        car(record("a", "1", OTHER), record("b", "2", OWN), record("c", "3"), COMMIT),
        ({}, {"no_replies": True}),
    ),
    "a post without text is dropped": (car(record(None), HELLO), ({},)),
    "a repository without posts has no rows": (car(COMMIT, LIKE), ({},)),
    "links are removed or whole": (car(COMMIT, LINKED), ({}, {"keep_links": True})),
    "truncated": (car(HELLO)[:-1], ({},)),
    "of another version": (car(HELLO, version=2), ({},)),
    "without an id": (car() + section(b"no id"), ({},)),
    "without the encoding of records": (car() + section(ID + bytes(32) + b"\x81" * 100_000), ({},)),
    "with a block that is too long": (car() + varint(MAX_BLOCK_BYTES + 1) + b"x", ({},)),
    "with an empty block": (car() + b"\x00", ({},)),
}


@pytest.mark.parametrize("name", REPOSITORIES)
def test_a_repository_is_read_as_recorded(name: str, snapshot: SnapshotAssertion) -> None:
    content, options = REPOSITORIES[name]
    assert "\n".join(read({"repo.car": content}, **each) for each in options) == snapshot


def test_the_text_of_a_post_is_unchanged_by_cleaning() -> None:
    (text,) = texts_of({"repo.car": car(record("type &lt; & go"))})
    assert clean(text) == "type &lt; & go"


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libipld", None)
    assert read({"repo.car": car(HELLO)}).endswith("pip install libipld")


def test_other_files_with_similar_words_are_not_recognised() -> None:
    assert looks_like(car(COMMIT))
    assert not any(map(looks_like, (b'{"text": "hello"}', b"about app.bsky.feed.post", b"")))

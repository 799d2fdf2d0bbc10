"""Posts are read from Bluesky's repositories and JSON records. `tests.fuzz` tries damaged ones."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from typing import Any

import libipld
import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.bluesky_rows import bluesky_rows, looks_like
from engine.corpus.readers.archives.car_blocks import MAX_BLOCK_BYTES
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError
from engine.text import clean

LONG = "https://a.example/long/path"
OWN, OTHER = "did:plc:mia", "did:plc:tom"


def record(text: object, created: str = "2024-05-01T10:00:00.000Z", parent: str = "") -> dict[str, Any]:
    post: dict[str, Any] = {"$type": "app.bsky.feed.post", "text": text, "createdAt": created, "langs": ["en"]}
    uri = f"at://{parent}/app.bsky.feed.post/1"
    return {**post, "reply": {"root": {"uri": uri}, "parent": {"uri": uri, "cid": "x"}}} if parent else post


def varint(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7)


def section(data: bytes) -> bytes:
    return varint(len(data)) + data


def car(*blocks: object, version: int = 1) -> bytes:
    """Return a repository of these blocks and a raw one; the first is the root."""
    encoded = [libipld.encode_dag_cbor(block) for block in blocks]
    ids = [b"\x01\x71\x12\x20" + hashlib.sha256(data).digest() for data in encoded]
    header = libipld.encode_dag_cbor({"roots": ids[:1], "version": version})
    raw = b"\x01\x55\x12\x20" + bytes(32) + b"\xff\xd8 a picture"
    return section(header) + section(raw) + b"".join(section(a + b) for a, b in zip(ids, encoded, strict=True))


def rows_of(data: bytes, **options: Any) -> list[Row]:
    return list(bluesky_rows(io.BytesIO(data), Source("repo.car", "bluesky"), CorpusConfig(**options)))


def rows_of_json(value: object, **options: Any) -> list[Row]:
    return rows_of(json.dumps(value).encode(), **options)


def reasons(rows: list[Row]) -> list[str]:
    return [row if isinstance(row, str) else row.reason for row in rows]


COMMIT = {"did": OWN, "rev": "3k", "version": 3, "prev": None, "sig": b"123"}
LIKE = {"$type": "app.bsky.feed.like", "createdAt": "2024", "subject": {"uri": "at://x", "cid": "y"}}


# Repositories ---------------------------------------------------------------------------------------------------------


def test_posts_are_sorted_by_time_and_other_records_ignored() -> None:
    tree = {"e": [{"k": b"app.bsky.feed.post/1", "p": 0, "t": None}], "l": None}
    data = car(COMMIT, record("late", "2024-05-02"), LIKE, tree, record("early", "2024-05-01"), [1, 2], "text")
    assert rows_of(data) == ["early", "late"]


def test_replies_to_others_are_dropped_by_option_only_and_own_threads_kept() -> None:
    data = car(record("a", "1", OTHER), record("b", "2", OWN), record("c", "3"), COMMIT)
    assert rows_of(data) == ["a", "b", "c"]
    assert reasons(rows_of(data, no_replies=True)) == ["reply", "b", "c"]


def test_a_post_without_text_is_a_drop_and_other_records_are_nothing() -> None:
    assert reasons(rows_of(car(record(None), record("hello")))) == ["not a text", "hello"]
    assert rows_of(car(COMMIT, LIKE)) == []


def test_the_text_of_a_post_is_unchanged_by_cleaning() -> None:
    (row,) = rows_of(car(record("type &lt; & go")))
    assert isinstance(row, str)
    assert clean(row) == "type &lt; & go"


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libipld", None)
    with pytest.raises(CorpusError) as caught:
        rows_of(car(record("hello")))
    assert "repo.car" in caught.value.message
    assert "pip install libipld" in caught.value.hint


def with_link(text: str, shown: str, url: str) -> dict[str, Any]:
    """Return a post in which one part is a link, as Bluesky's app writes it."""
    start = len(text[: text.index(shown)].encode())
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": url}
    index = {"byteStart": start, "byteEnd": start + len(shown.encode())}
    return {**record(text), "facets": [{"index": index, "features": [feature]}]}


@pytest.mark.parametrize(
    ("post", "without", "whole"),
    [
        (with_link("é see a.example/lon... now", "a.example/lon...", LONG), "é see now", f"é see {LONG} now"),
        (with_link("words are kept", "words", LONG), "words are kept", "words are kept"),
        (record(f"typed {LONG} only"), "typed only", f"typed {LONG} only"),
        (record(f"see ({LONG}), and {LONG}!"), "see, and!", f"see ({LONG}), and {LONG}!"),
    ],
)
def test_links_are_removed_or_whole_and_never_stumps(post: dict[str, Any], without: str, whole: str) -> None:
    assert rows_of(car(COMMIT, post)) == rows_of_json([post]) == [without]
    assert rows_of(car(COMMIT, post), keep_links=True) == rows_of_json([post], keep_links=True) == [whole]


def test_a_post_of_one_link_is_a_drop_and_removed_links_are_counted() -> None:
    posts = [with_link("a.example/lon...", "a.example/lon...", LONG), with_link("x www.b.example", "www.b.example", "")]
    source = Source("posts.json", "bluesky")
    rows = list(bluesky_rows(io.BytesIO(json.dumps(posts).encode()), source, CorpusConfig()))
    assert rows == [DroppedRow("only a link", f"a post: {LONG}"), "x"]
    assert source.notes == ["links removed from 1 post; --keep-links keeps them"]


def test_of_overlapping_links_the_first_counts() -> None:
    post = with_link("go x.a.example/lon... now", "x.a.example/lon...", "https://x.a.example/long")
    post["facets"] += with_link(post["text"], "a.example/lon...", LONG)["facets"]
    assert rows_of_json([post], keep_links=True) == ["go https://x.a.example/long now"]


@pytest.mark.parametrize(
    "facets",
    [5, [5], [{"index": 5, "features": 5}], [{"index": {"byteStart": 9e99, "byteEnd": -1}, "features": [None, {}]}]],
)
def test_invalid_facets_are_ignored(facets: object) -> None:
    assert rows_of_json([{**record("hello"), "facets": facets}]) == ["hello"]


def test_posts_with_a_label_of_content_are_dropped_by_option_only() -> None:
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "nudity"}]}
    posts = [{**record("a"), "labels": labels}, {**record("b"), "labels": {"values": [{"val": "!hide"}]}}]
    assert rows_of_json(posts) == ["a", "b"]
    assert reasons(rows_of_json(posts, no_sensitive=True)) == ["marked as sensitive", "b"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (car(record("hello"))[:-1], "truncated"),
        (car(record("hello"), version=2), "header"),
        (car() + section(b"no id"), "no content id"),
        (car() + section(b"\x01\x71\x12\x20" + bytes(32) + b"\x81" * 100_000), "not DAG-CBOR"),
        (car() + varint(MAX_BLOCK_BYTES + 1) + b"x", "invalid length"),
        (car() + b"\x00", "invalid length"),
    ],
)
def test_a_damaged_repository_is_an_error(data: bytes, problem: str) -> None:
    with pytest.raises(CorpusError, match=f"damaged Bluesky repository: .*{problem}"):
        rows_of(data)


# JSON records ---------------------------------------------------------------------------------------------------------

URI = f"at://{OWN}/app.bsky.feed.post/1"
FORMS = [
    record("hello"),
    {"uri": URI, "cid": "x", "value": record("hello")},
    {"uri": URI, "author": {"did": OWN}, "record": record("hello")},
    {"post": {"uri": URI, "record": record("hello")}, "reply": {"root": {}}},
    {"did": OWN, "kind": "commit", "commit": {"operation": "create", "rkey": "x", "record": record("hello")}},
]


@pytest.mark.parametrize("form", FORMS)
def test_a_record_is_found_in_every_known_wrapper(form: dict[str, Any]) -> None:
    assert rows_of_json(form) == ["hello"]
    assert rows_of_json([form, form]) == ["hello", "hello"]
    assert rows_of(json.dumps([form], indent=2).encode("utf-8-sig")) == ["hello"]
    assert rows_of(json.dumps(form, indent=2).encode()) == ["hello"]
    assert rows_of(b"\n".join([json.dumps(form).encode()] * 2) + b"\n\n") == ["hello", "hello"]
    for key in ("records", "feed", "posts"):
        assert rows_of_json({"cursor": "x", key: [form, form]}) == ["hello", "hello"]
        assert rows_of(json.dumps({key: [form]}).encode() + b"\n" + json.dumps({key: [form]}).encode()) == [
            "hello",
            "hello",
        ]


def test_other_records_and_reposts_are_drops() -> None:
    repost = {"post": {"record": record("no")}, "reason": {"$type": "app.bsky.feed.defs#reasonRepost"}}
    rows = rows_of_json([LIKE, repost, 5, None, {"value": {"value": {"value": {}}}}, record("yes")])
    assert reasons(rows) == ["not a post", "repost", *["not a post"] * 3, "yes"]


def test_a_line_that_is_not_json_is_a_drop() -> None:
    rows = rows_of(json.dumps(record("hello")).encode() + b"\n{torn\n")
    assert rows == ["hello", DroppedRow("not JSON", "line 2: its text is not shown")]


def test_own_threads_are_recognised_by_the_uri_of_the_record() -> None:
    forms = [{"uri": URI, "value": record("a", parent=OWN)}, {"uri": URI, "value": record("b", parent=OTHER)}]
    assert reasons(rows_of_json([*forms, record("c", parent=OWN)], no_replies=True)) == ["a", "reply", "reply"]


# Detection ------------------------------------------------------------------------------------------------------------


def test_repositories_and_records_are_recognised() -> None:
    assert looks_like(car(COMMIT))
    assert all(looks_like(json.dumps(form).encode()) for form in FORMS)
    assert not looks_like(b'{"text": "hello"}')
    assert not looks_like(b"about app.bsky.feed.post")
    assert not looks_like(b"")

"""Archives of X, Mastodon and Bluesky: posts as the text that is seen, and nothing else. `tests.fuzz` tries damage."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from typing import Any, BinaryIO

import libipld
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.car_blocks import MAX_BLOCK_BYTES
from engine.corpus.readers.archives.html_text import html_to_text
from engine.corpus.readers.archives.posts import without_typed_links
from engine.corpus.readers.archives.x_files import archive_root
from engine.corpus.readers.archives.x_rows import x_rows
from engine.corpus.types import Member, Source
from tests.engine.corpus.reading import Case, Files, read, recorded_cases, unescaped


def archive(**entries: list[object]) -> Files:
    """Return the files of an archive with tweets under an id and a text, or other entries, by the file's name."""
    names = {name: name.replace("_", "-") for name in entries}
    return {f"data/{names[name]}.js": f"window.YTD.{name}.part0 = {json.dumps(each)}" for name, each in entries.items()}


def tweet(text: str, number: int = 1) -> object:
    return {"tweet": {"id_str": str(number), "full_text": text}}


def test_an_archive_with_too_many_circle_tweets_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.corpus.readers.archives.x_tweets.MAX_CIRCLE_TWEETS", 2)
    circle = [tweet("a secret", number) for number in range(3)]
    assert "over 2 circle tweets" in read(archive(tweets=[tweet("hello")], twitter_circle_tweet=circle))


def test_other_files_of_the_archive_are_never_opened() -> None:
    def refused() -> BinaryIO:
        raise AssertionError("it was opened")

    def tweets() -> BinaryIO:
        (content,) = archive(tweets=[tweet("hello")]).values()
        return io.BytesIO(str(content).encode())

    private = ("direct-messages.js", "direct-messages-group.js", "deleted-tweets.js", "deleted-tweet-headers.js")
    foreign = ("twitter-circle.js", "twitter-circle-member.js", "protected-history.js", "like.js", "community-tweet.js")
    members = [Member(f"data/{name}", refused) for name in (*private, *foreign, "../tweets.js.exe")]
    members.append(Member("data/tweets.js", tweets))
    assert list(x_rows(members, Source("archive.zip", "x"), CorpusConfig())) == ["hello"]


@recorded_cases("x_paths")
def test_the_files_of_an_archive_that_are_read_are_known_by_their_path(case: Case, snapshot: SnapshotAssertion) -> None:
    roots = {path: archive_root(path) for path in str(case.files["rows"]).splitlines()}
    lines = (f"{path}: {'not read' if root is None else f'in {root!r}'}" for path, root in roots.items())
    assert "\n".join(lines) == snapshot


@recorded_cases("html")
def test_html_becomes_the_text_that_is_seen_without_or_with_addresses(case: Case, snapshot: SnapshotAssertion) -> None:
    lines = []
    for row in str(case.files["rows"]).splitlines():
        seen, whole = (html_to_text(unescaped(row), keeps_links=keeps) for keeps in (False, True))
        assert seen.num_links == whole.num_links
        lines += [row, f"  {seen.text!r}, {seen.num_links} removed"]
        lines += [f"  {whole.text!r} with addresses"] * (whole != seen)
    assert "\n".join(lines) == snapshot


TAGS = ("<p>", "</p>", "<br>", "<span class='invisible'>", '<span class="ellipsis">', "</span>", "<a href='", "</a>")
SCRAPS = (*"<>'\"a ", "<!--", "-->", "<![CDATA[", "<script>", "</script>", "&amp;", "&#", "99999999999")


@given(markup=st.lists(st.sampled_from(TAGS + SCRAPS) | st.text(max_size=3)).map("".join))
def test_any_html_yields_text_without_double_breaks(markup: str) -> None:
    text = html_to_text(markup).text
    assert "\n\n" not in text
    assert text == text.strip()


def record(text: object, created: str = "2024-05-01T10:00:00.000Z", parent: str = "") -> dict[str, Any]:
    uri = {"uri": f"at://{parent}/app.bsky.feed.post/1", "cid": "x"}
    post = {"$type": "app.bsky.feed.post", "text": text, "createdAt": created, "langs": ["en"]}
    return {**post, "reply": {"root": uri, "parent": uri}} if parent else post


OWN, OTHER = "did:plc:mia", "did:plc:tom"


def varint(number: int) -> bytes:
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80]) + varint(number >> 7)


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
POSTS = car(COMMIT, record("late", "2024-05-02"), LIKE, TREE, record("early", "2024-05-01"), [1, 2], "text")
REPLIES = car(record("a", "1", OTHER), record("b", "2", OWN), record("c", "3"), COMMIT)
REPOSITORIES: dict[str, tuple[bytes, tuple[dict[str, Any], ...]]] = {
    "posts are sorted by time and other records ignored": (POSTS, ({},)),
    "replies to others are dropped by option only and own threads kept": (REPLIES, ({}, {"no_replies": True})),
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


def test_links_and_malformed_html_take_linear_time() -> None:
    """It would take minutes if an expression backtracked."""
    tweets = [tweet(piece * 100_000 + "x") for piece in (" ", "\n", "https://t.co/a ", "(https://t.co/")]
    notes: list[object] = [{"noteTweet": {"createdAt": "2023-04-04T13:45:22.000Z", "core": {"text": "a note"}}}]
    read(archive(tweets=tweets, note_tweet=notes))
    for piece in (" ", "https://", "(https://a", "https://!", "www."):
        without_typed_links(piece * 200_000)
    for piece in ("<a ", "<!--", "</", "<span>", "</span>", "<b></i>", "&#", "<a b='", "<script>", " \n"):
        html_to_text(piece * 20_000)


@pytest.mark.parametrize(("package", "name"), [("pyarrow.parquet", "a.parquet"), ("libipld", "a.car")])
def test_a_missing_package_is_named_with_how_to_install_it(
    package: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    content = b"PAR1" + bytes(100) + b"PAR1" if name == "a.parquet" else car(HELLO)
    assert read({name: content}).endswith(f"pip install {package.partition('.')[0]}")

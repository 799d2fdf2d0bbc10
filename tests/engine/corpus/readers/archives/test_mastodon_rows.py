"""Posts are read from Mastodon's outbox as visible text; messages never are. `tests.fuzz` tries damaged ones."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.loading import load_corpus, read_tweets
from engine.corpus.readers.archives.mastodon_rows import mastodon_rows
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import tar_of, zip_of

ACTOR = "https://m.example/users/mia"
FOLLOWERS = f"{ACTOR}/followers"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


def post(content: object, **fields: object) -> dict[str, Any]:
    note = {"type": "Note", "content": content, "summary": None, "sensitive": False, "inReplyTo": None, "to": [PUBLIC]}
    return {"type": "Create", "actor": ACTOR, "object": {**note, **fields}}


def outbox(*activities: object) -> bytes:
    collection = {"@context": ["https://a.example", {"x": [1]}], "id": "outbox.json", "type": "OrderedCollection"}
    return json.dumps({**collection, "totalItems": len(activities), "orderedItems": activities}).encode()


def rows_of(*activities: object, **options: Any) -> list[Row]:
    file = io.BytesIO(outbox(*activities))
    return list(mastodon_rows(file, Source("outbox.json", "mastodon"), CorpusConfig(**options)))


def reasons(rows: list[Row]) -> list[str]:
    return [row if isinstance(row, str) else row.reason for row in rows]


def test_posts_are_rows_and_boosts_are_counted() -> None:
    boost = {"type": "Announce", "actor": ACTOR, "object": "https://other.example/1"}
    rows = rows_of(post("<p>one</p>"), boost, post("<p>two</p>"))
    assert rows == ["one", DroppedRow("boost", "post 2: https://other.example/1"), "two"]


def test_other_activities_and_posts_without_text_are_drops() -> None:
    link = {"type": "Create", "object": "https://a.example"}
    others: list[object] = [5, None, {}, {"type": "Like"}, link, post("x", type="Video"), post("x", type={})]
    without_text = (post(None), post(5), post(["a"]))
    assert reasons(rows_of(*others, *without_text)) == ["not a post"] * 7 + ["not a text"] * 3


def test_sensitive_posts_are_dropped_by_option_only() -> None:
    activities = [post("<p>one</p>", sensitive=True), post("<p>two</p>", summary="spiders"), post("<p>three</p>")]
    assert rows_of(*activities) == ["one", "two", "three"]
    assert reasons(rows_of(*activities, no_sensitive=True)) == ["marked as sensitive"] * 2 + ["three"]


def test_replies_to_others_are_dropped_by_option_only_and_own_threads_kept() -> None:
    replies = [
        post("a", inReplyTo="https://m.example/users/mia2/statuses/1"),
        post("b", inReplyTo=f"{ACTOR}/statuses/1"),
    ]
    assert rows_of(*replies) == ["a", "b"]
    assert rows_of(*replies, no_replies=True) == [DroppedRow("reply", "post 1: a"), "b"]


@pytest.mark.parametrize(
    "audience", [{"to": [FOLLOWERS], "cc": [PUBLIC]}, {"to": [], "cc": [PUBLIC]}, {"to": "as:Public"}]
)
def test_public_and_unlisted_posts_are_read(audience: dict[str, object]) -> None:
    assert rows_of(post("a", **audience)) == ["a"]


def test_posts_for_ones_own_followers_are_read_with_a_note() -> None:
    source = Source("outbox.json", "mastodon")
    data = outbox(post("a", to=[FOLLOWERS]), post("b", to=[FOLLOWERS], cc=["https://m.example/users/tom"]), post("c"))
    assert list(mastodon_rows(io.BytesIO(data), source, CorpusConfig())) == ["a", "b", "c"]
    assert source.notes == ["2 posts for followers only included"]


@pytest.mark.parametrize(
    "to",
    [
        ["https://m.example/users/tom"],
        "https://m.example/users/tom",
        ["https://m.example/users/group", "https://m.example/users/group/followers"],
        [],
        None,
    ],
)
def test_a_direct_message_is_never_read(to: object) -> None:
    rows = rows_of(post("secret", to=to, cc=[]))
    assert reasons(rows) == ["direct message"]
    assert "secret" not in str(rows)


@pytest.mark.parametrize("is_lines", [True, False])
def test_the_activities_of_an_outbox_alone_are_recognised(tmp_path: Path, *, is_lines: bool) -> None:
    path = tmp_path / ("a.jsonl" if is_lines else "a.json")
    boost = {"id": "x", "type": "Announce", "actor": ACTOR, "object": "https://other.example/1"}
    activities = [boost, post("<p>one</p>"), post("<p>a secret</p>", to=[])]
    path.write_text("\n".join(map(json.dumps, activities)) if is_lines else json.dumps(activities))
    tweets, report = read_tweets(CorpusConfig(files=(str(path),)))
    assert list(tweets) == ["one"]
    assert report.dropped == {"boost": 1, "direct message": 1}


def test_a_question_is_the_text_of_its_poll() -> None:
    options = [{"type": "Note", "name": "yes", "replies": {"type": "Collection", "totalItems": 3}}]
    assert rows_of(post("<p>tea?</p>", type="Question", oneOf=options, votersCount=3)) == ["tea?"]


def test_links_are_removed_unless_kept_and_a_post_of_links_is_a_drop() -> None:
    link = (
        '<a href="https://a.example/long/path" target="_blank" rel="nofollow noopener" translate="no">'
        '<span class="invisible">https://</span><span class="ellipsis">a.example/lo</span>'
        '<span class="invisible">ng/path</span></a>'
    )
    source = Source("outbox.json", "mastodon")
    data = outbox(post(f"<p>see {link}</p>"), post(f"<p>{link}</p>"))
    rows = list(mastodon_rows(io.BytesIO(data), source, CorpusConfig()))
    assert rows == ["see", DroppedRow("only a link", "post 2: https://a.example/long/path")]
    assert source.notes == ["links removed from 1 post; --keep-links keeps them"]
    assert rows_of(post(f"<p>see {link}</p>"), keep_links=True) == ["see https://a.example/long/path"]


def test_a_content_warning_is_counted_and_not_part_of_the_text() -> None:
    source = Source("outbox.json", "mastodon")
    data = outbox(post("<p>two</p>", summary="spiders", sensitive=True))
    assert list(mastodon_rows(io.BytesIO(data), source, CorpusConfig())) == ["two"]
    assert source.notes == ["content warnings of 1 post not included; --no-sensitive skips such posts"]


@pytest.mark.parametrize(
    "data", [outbox(), outbox().replace(b'"orderedItems": []', b'"orderedItems":[],"orderedItems":[]')]
)
def test_an_outbox_without_posts_is_an_error(data: bytes) -> None:
    with pytest.raises(CorpusError, match=r"^outbox\.json holds no posts"):
        list(mastodon_rows(io.BytesIO(data), Source("outbox.json", "mastodon"), CorpusConfig()))


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b'{"orderedItems": 5}', b'{"type": "OrderedCollection", "first": "x"}']
)
def test_a_file_that_is_no_outbox_is_an_error(content: bytes) -> None:
    with pytest.raises(CorpusError, match="is not a Mastodon outbox"):
        list(mastodon_rows(io.BytesIO(content), Source("a", "mastodon"), CorpusConfig()))


# Archives -------------------------------------------------------------------------------------------------------------

POSTS = [f"a day of {hashlib.sha256(bytes([number])).hexdigest()}" for number in range(24)]
LIKES = {"@context": "https://www.w3.org/ns/activitystreams", "id": "likes.json", "type": "OrderedCollection"}


def mastodon_outbox() -> bytes:
    """Return an outbox as Mastodon 4.2 to 4.5 write it: keys twice, compact, the posts batch by batch."""
    skeleton = {"@context": "https://www.w3.org/ns/activitystreams", "id": "outbox.json", "type": "OrderedCollection"}
    begin = json.dumps({**skeleton, "totalItems": len(POSTS), "orderedItems": []}, separators=(",", ":"))
    context = [
        "https://www.w3.org/ns/activitystreams",
        {"ostatus": "http://ostatus.org#", "atomUri": "ostatus:atomUri"},
    ]
    items = [
        {
            "id": f"{ACTOR}/statuses/{number}/activity",
            "type": "Create",
            "actor": ACTOR,
            "published": "2024-05-01T10:00:00Z",
            "to": [PUBLIC],
            "cc": [FOLLOWERS],
            "object": {
                "id": f"{ACTOR}/statuses/{number}",
                "type": "Note",
                "summary": None,
                "inReplyTo": None,
                "attributedTo": ACTOR,
                "to": [PUBLIC],
                "cc": [FOLLOWERS],
                "sensitive": False,
                "content": f"<p>{text}</p>",
                "contentMap": {"en": f"<p>{text}</p>"},
                "attachment": [{"type": "Document", "mediaType": "image/png", "name": "a cat"}],
                "tag": [],
                "replies": {"type": "Collection", "first": {"type": "CollectionPage", "items": []}},
                "likes": {"type": "Collection", "totalItems": 2},
            },
        }
        for number, text in enumerate(POSTS)
    ]
    body = ",".join(json.dumps(item, separators=(",", ":")) for item in items)
    end = f',"@context":{json.dumps(context)},"orderedItems":[{body}]}}'
    return begin.removesuffix("}").encode() + end.encode()


def pleroma_outbox() -> bytes:
    """Return an outbox as Pleroma and Akkoma write it: one post per line, the number at the end."""
    items = ",\n".join(json.dumps(post(text, to=[PUBLIC], cc=[FOLLOWERS])) for text in POSTS)
    begin = '{\n  "@context": "https://www.w3.org/ns/activitystreams",\n  "id": "outbox.json",\n'
    begin += '  "type": "OrderedCollection",\n  "orderedItems": [\n\n'
    return f'{begin}{items}\n],\n  "totalItems": {len(POSTS)}}}'.encode()


def page_of_an_outbox() -> bytes:
    """Return a page of an outbox as servers send it."""
    page = {"id": f"{ACTOR}/outbox?page=true", "type": "OrderedCollectionPage", "partOf": f"{ACTOR}/outbox"}
    return json.dumps({**page, "orderedItems": [post(f"<p>{text}</p>") for text in POSTS]}).encode()


@pytest.mark.parametrize("outbox_of", [mastodon_outbox, pleroma_outbox, page_of_an_outbox])
@pytest.mark.parametrize("kind", ["outbox.json", "archive.zip", "archive.tar.gz", "folder"])
def test_archives_of_every_server_are_read(outbox_of: Callable[[], bytes], kind: str, tmp_path: Path) -> None:
    likes = json.dumps({**LIKES, "totalItems": 1, "orderedItems": ["https://o.example/users/tom/statuses/1"]}).encode()
    actor = json.dumps({"type": "Person", "id": ACTOR, "summary": "<p>a person</p>"}).encode()
    files = {"media_attachments/1.json": b'{"text": "not a post"}', "outbox.json": outbox_of()}
    files |= {"likes.json": likes, "bookmarks.json": likes, "actor.json": actor, "avatar.png": b"\x89PNG\r\n\x1a\n"}
    path = tmp_path / kind
    if kind == "folder":
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    else:
        archives = {"archive.zip": zip_of(files), "archive.tar.gz": tar_of(files, "w:gz")}
        path.write_bytes(archives.get(kind, files["outbox.json"]))
    corpus = load_corpus(CorpusConfig(files=(str(path),), keep_duplicates=True))
    assert sorted([*corpus.train, *corpus.validation]) == sorted(POSTS)
    assert corpus.report.formats == ("mastodon",)
    assert corpus.report.num_rows == len(POSTS)

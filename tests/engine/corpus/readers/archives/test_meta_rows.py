"""Posts of Facebook, Instagram and Threads are read as their owner wrote them; nothing else of the exports is."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.meta_files import looks_like
from engine.corpus.readers.archives.meta_rows import meta_rows
from engine.corpus.types import DroppedRow, Member, Row, Source
from engine.errors import CorpusError
from engine.text import escape
from tests.engine.corpus.readers.archives.meta_export import as_exported, facebook, picture, thread


def member(content: bytes, name: str = "posts_1.json") -> Member:
    return Member(name, lambda: io.BytesIO(content))


def rows_of(*posts: object, **options: Any) -> list[Row]:
    """Return the rows of a file with these posts."""
    return read([member(as_exported(posts))], **options)


def read(members: Sequence[Member], source: Source | None = None, **options: Any) -> list[Row]:
    return list(meta_rows(members, source or Source("a", "meta"), CorpusConfig(**options)))


# Posts ----------------------------------------------------------------------------------------------------------------


def test_the_texts_of_facebook_posts_are_rows_and_posts_without_one_are_counted() -> None:
    posts = [facebook(None), facebook("a nice day"), facebook(" "), facebook("and a good night", attachments=[])]
    without_data = {"timestamp": 1242901624, "attachments": [], "title": "Mia Hill shared a link."}
    rows = rows_of(*posts, without_data)
    dropped = [row for row in rows if isinstance(row, DroppedRow)]
    assert [row for row in rows if isinstance(row, str)] == ["a nice day", "and a good night"]
    assert [row.reason for row in dropped] == ["without text"] * 3
    assert dropped[0].example == "post 1: it has timestamp, attachments, data, title"


def test_an_export_with_one_facebook_post_has_no_array() -> None:
    content = as_exported(facebook("a nice day"))
    assert looks_like(content)
    assert read([member(content)]) == ["a nice day"]


def test_the_caption_of_one_picture_is_its_title_and_that_of_several_the_posts() -> None:
    one = {"media": [picture("a nice day")]}
    several = {"media": [picture(), picture()], "title": "and a good night", "creation_timestamp": 1573560000}
    assert rows_of(one, several, {"media": [picture()]})[:2] == ["a nice day", "and a good night"]


@pytest.mark.parametrize("key", ["text_post_app_text_posts", "ig_reels_media", "ig_igtv_media"])
def test_threads_and_videos_are_in_an_object(key: str) -> None:
    content = as_exported({key: [thread("a nice day"), thread("and a good night")]})
    assert looks_like(content)
    assert read([member(content)]) == ["a nice day", "and a good night"]


def test_the_oldest_facebook_exports_are_read() -> None:
    content = as_exported({"status_updates": [facebook("a nice day"), facebook("and a good night")]})
    assert read([member(content)]) == ["a nice day", "and a good night"]


def test_replies_of_threads_are_dropped_by_option_only() -> None:
    posts = [thread("a nice day"), thread("same here", is_reply=True)]
    assert rows_of(*posts) == ["a nice day", "same here"]
    assert rows_of(*posts, no_replies=True) == ["a nice day", DroppedRow("reply", "post 2: same here")]


def test_parts_are_read_in_the_order_of_their_numbers() -> None:
    parts = [
        member(as_exported([facebook(f"part {number}")]), f"posts/your_posts_{number}.json") for number in (10, 2, 1)
    ]
    assert read(parts) == ["part 1", "part 2", "part 10"]


@pytest.mark.parametrize("entry", [5, None, "a", [], {}, {"comment": "not mine"}])
def test_an_entry_that_is_no_post_is_dropped_without_its_text(entry: object) -> None:
    (row,) = rows_of(entry)
    assert isinstance(row, DroppedRow)
    assert row.reason == "not a post"
    assert "not mine" not in row.example


def test_a_truncated_file_yields_its_posts_and_an_error_that_names_it() -> None:
    rows = meta_rows(
        [member(as_exported([facebook("a nice day")])[:-2])], Source("posts_1.json", "meta"), CorpusConfig()
    )
    assert next(rows) == "a nice day"
    with pytest.raises(CorpusError, match=r"posts_1\.json is not valid JSON"):
        next(rows)


def test_it_is_noted_that_the_audience_of_a_post_is_unknown() -> None:
    source = Source("a", "meta")
    read([member(as_exported([facebook("a nice day")]))], source)
    assert source.notes == ["the export does not contain the audience of a post: all posts are read"]


# Texts ----------------------------------------------------------------------------------------------------------------


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip()))
def test_the_encoding_of_the_export_is_reverted_exactly(text: str) -> None:
    assert rows_of(facebook(text)) == [escape(text)]


def test_reverted_posts_are_noted_and_texts_that_were_reverted_before_are_unchanged() -> None:
    source = Source("a", "meta")
    posts = [facebook("Schöner Tag – 🎉"), facebook("plain")]
    assert read([member(as_exported(posts))], source) == ["Schöner Tag – 🎉", "plain"]
    assert source.notes[1:] == ["wrong encoding of the export repaired in 1 post"]
    assert read([member(json.dumps(posts).encode())]) == ["Schöner Tag – 🎉", "plain"]


def test_plain_text_is_not_taken_for_entities() -> None:
    assert rows_of(facebook("R&amp;B & <3")) == ["R&amp;amp;B &amp; <3"]


@pytest.mark.parametrize(
    ("options", "text"),
    [({}, "with Tom Höll!"), ({"mask_mentions": True}, "with @user!"), ({"strip_mentions": True}, "with @user!")],
)
def test_a_mention_becomes_the_name(options: dict[str, bool], text: str) -> None:
    assert rows_of(facebook("with @[100012345678901:2048:Tom Höll]!"), **options) == [text]

"""Posts are read from Mastodon's outbox as visible text; messages never are. `tests.fuzz` tries damaged ones."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.archives.html_text import escape, html_to_text
from engine.corpus.readers.archives.mastodon_rows import mastodon_rows
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError
from engine.text import unescape

ACTOR = "https://m.example/users/mia"
PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
PIECES = ("<p>", "</p>", "<br>", "<span class='invisible'>", '<span class="ellipsis">', "</span>", "<a href='", "</a>")
SCRAPS = (
    "<",
    ">",
    "'",
    '"',
    "<!--",
    "-->",
    "<![CDATA[",
    "<script>",
    "</script>",
    "&amp;",
    "&#",
    "99999999999",
    "a",
    " ",
)


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
    assert rows == ["one", DroppedRow("boost", "activity 2: https://other.example/1"), "two"]


def test_other_activities_and_posts_without_text_are_drops() -> None:
    link = {"type": "Create", "object": "https://a.example"}
    others: list[object] = [5, None, {}, {"type": "Like"}, link, post("x", type="Video")]
    without_text = (post(None), post(5), post(["a"]))
    assert reasons(rows_of(*others, *without_text)) == ["not a post"] * 6 + ["not a text"] * 3


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
    assert rows_of(*replies, no_replies=True) == [DroppedRow("reply", "activity 1: a"), "b"]


@pytest.mark.parametrize("followers", [{"to": [f"{ACTOR}/followers"]}, {"to": [], "cc": [PUBLIC]}, {"to": "as:Public"}])
def test_public_posts_and_posts_for_followers_are_read(followers: dict[str, object]) -> None:
    assert rows_of(post("a", **followers)) == ["a"]


@pytest.mark.parametrize("to", [["https://m.example/users/tom"], "https://m.example/users/tom", [], None])
def test_a_direct_message_is_never_read(to: object) -> None:
    rows = rows_of(post("secret", to=to, cc=[]))
    assert reasons(rows) == ["direct message"]
    assert "secret" not in str(rows)


def test_posts_after_an_empty_list_are_read() -> None:  # mastodon#31091, since Mastodon 4.2
    data = outbox(post("<p>one</p>")).replace(b'"orderedItems"', b'"orderedItems": [], "orderedItems"')
    assert list(mastodon_rows(io.BytesIO(data), Source("outbox.json", "mastodon"), CorpusConfig())) == ["one"]
    assert list(mastodon_rows(io.BytesIO(outbox()), Source("outbox.json", "mastodon"), CorpusConfig())) == []


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b'{"orderedItems": 5}', b'{"type": "OrderedCollection", "first": "x"}']
)
def test_a_file_that_is_no_outbox_is_an_error(content: bytes) -> None:
    with pytest.raises(CorpusError, match="is not a Mastodon outbox"):
        list(mastodon_rows(io.BytesIO(content), Source("a", "mastodon"), CorpusConfig()))


# HTML -----------------------------------------------------------------------------------------------------------------

MENTION = (
    '<span class="h-card" translate="no"><a href="https://m.example/@mia" class="u-url mention">'
    "@<span>mia</span></a></span>"
)
LINK = (
    '<a href="https://a.example/long/path?x=1" rel="nofollow"><span class="invisible">https://</span>'
    '<span class="ellipsis">a.example/long</span><span class="invisible">/path?x=1</span></a>'
)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one</p><p>two<br>three<br />four</p>", "one\ntwo\nthree\nfour"),
        (f"<p>hi {MENTION}, you</p>", "hi @mia, you"),
        (f"<p>see {LINK} now</p>", "see a.example/long… now"),
        ("a &amp;amp; b &lt;p&gt; &eacute;&#39;", "a &amp; b <p> é'"),
        ("one<script>alert('x')</script><style>p {}</style> two", "one two"),
        ("1 < 2 <3 a<b", "1 < 2 <3 a<b"),
        ("<p>one\n  two </p>\n\n<p> three</p>", "one two\nthree"),
        ("<a title='1 > 0'>ok</a><!-- no --><!DOCTYPE x>", "ok"),
        ("<p>see <a><span class=invisible>https://</a> on</p><p>next</p>", "see on\nnext"),
        ("<a href='never closed", "<a href='never closed"),
    ],
)
def test_html_becomes_its_visible_text(markup: str, text: str) -> None:
    assert html_to_text(markup) == text


def test_malformed_html_takes_linear_time() -> None:
    for piece in ("<a ", "<!--", "</", "<span>", "</span>", "<b></i>", "&#", "<a b='", "<script>", " \n"):
        html_to_text(piece * 50_000)  # minutes, if the expression backtracked


@settings(max_examples=200)
@given(markup=st.lists(st.sampled_from(PIECES + SCRAPS) | st.text(max_size=3)).map("".join))
def test_any_html_yields_text_without_double_breaks(markup: str) -> None:
    text = html_to_text(markup)
    assert "\n\n" not in text
    assert text == text.strip()


@settings(max_examples=100)
@given(text=st.lists(st.sampled_from(["&", "amp;", "lt;", "#39;", "#", "9" * 5000, "a", " "])).map("".join))
def test_unescaping_reverses_escaping(text: str) -> None:
    assert unescape(escape(text)) == text

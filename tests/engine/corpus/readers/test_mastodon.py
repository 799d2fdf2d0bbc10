"""Posts are read from Mastodon's outbox and interface as the text that is seen; messages never are.

`tests.fuzz` tries damaged ones.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.corpus.readers.archives.html_text import VisibleText, html_to_text
from tests.engine.corpus.reading import Case, recorded_cases


@recorded_cases("mastodon")
def test_posts_are_read_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    assert case.read() == snapshot


# HTML -----------------------------------------------------------------------------------------------------------------

MENTION = (
    '<span class="h-card" translate="no"><a href="https://m.example/@mia" class="u-url mention">'
    "@<span>mia</span></a></span>"
)
LINK = (
    '<a href="https://a.example/long/path?x=1" rel="nofollow"><span class="invisible">https://</span>'
    '<span class="ellipsis">a.example/long</span><span class="invisible">/path?x=1</span></a>'
)
HASHTAG = '<a href="https://m.example/tags/cats" class="mention hashtag" rel="tag">#<span>cats</span></a>'
QUOTED = f'<p class="quote-inline">RE: {LINK}</p>'


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one</p><p>two<br>three<br />four</p>", "one\ntwo\nthree\nfour"),
        (f"<p>hi {MENTION}, you</p>", "hi @mia, you"),
        (f'<p>{HASHTAG} for <a href="https://a.example/b">all of you</a></p>', "#cats for all of you"),
        ('<a href="https://example.com">example</a> of a', "example of a"),
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
    assert html_to_text(markup).text == text


@pytest.mark.parametrize(
    ("markup", "without", "whole"),
    [
        (f"<p>see {LINK}, now</p>", "see, now", "see https://a.example/long/path?x=1, now"),
        (f"<p>one</p><p>{LINK}</p><p>two</p>", "one\ntwo", "one\nhttps://a.example/long/path?x=1\ntwo"),
        (
            'go <a href="https://xn--a-eka.example"><span class="invisible">https://</span>ä.example</a>',
            "go",
            "go https://xn--a-eka.example",
        ),
        ('<a href="https://www.a.example/">a.example</a> is', "is", "https://www.a.example/ is"),
        ('go <a href="https://a.example/long/path">a.example/lo…</a>', "go", "go https://a.example/long/path"),
        ('go <a href="https://b.example/?a=1&amp;b=2">https://b.example</a>', "go", "go https://b.example/?a=1&b=2"),
    ],
)
def test_a_shown_address_is_removed_or_whole(markup: str, without: str, whole: str) -> None:
    assert html_to_text(markup) == VisibleText(without, 1)
    assert html_to_text(markup, keeps_links=True) == VisibleText(whole, 1)


@pytest.mark.parametrize(
    "quoted",
    [
        f"{QUOTED}<p>so true</p>",
        f'<p>so true</p><span class="quote-inline"><br/><br/><bdi>RT:</bdi> {LINK}</span>',
        f"<p>so true</p>{QUOTED}",
    ],
)
def test_the_reference_to_a_quoted_post_is_no_text(quoted: str) -> None:
    assert html_to_text(quoted, keeps_links=True).text == "so true"


def test_malformed_html_takes_linear_time() -> None:
    for piece in ("<a ", "<!--", "</", "<span>", "</span>", "<b></i>", "&#", "<a b='", "<script>", " \n"):
        html_to_text(piece * 50_000)  # minutes, if the expression backtracked


TAGS = ("<p>", "</p>", "<br>", "<span class='invisible'>", '<span class="ellipsis">', "</span>", "<a href='", "</a>")
SCRAPS = (*"<>'\"a ", "<!--", "-->", "<![CDATA[", "<script>", "</script>", "&amp;", "&#", "99999999999")


@given(markup=st.lists(st.sampled_from(TAGS + SCRAPS) | st.text(max_size=3)).map("".join))
def test_any_html_yields_text_without_double_breaks(markup: str) -> None:
    text = html_to_text(markup).text
    assert "\n\n" not in text
    assert text == text.strip()

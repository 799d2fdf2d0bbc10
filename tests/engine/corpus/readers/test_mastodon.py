"""Posts are read from Mastodon's outbox and interface as the text that is seen; messages never are.

`tests.fuzz` tries damaged ones.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.corpus.readers.archives.html_text import html_to_text
from tests.engine.corpus.reading import Case, recorded_cases, unescaped


@recorded_cases("mastodon")
def test_posts_are_read_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    assert case.read() == snapshot


# HTML -----------------------------------------------------------------------------------------------------------------


@recorded_cases("html")
def test_html_becomes_the_text_that_is_seen_without_or_with_addresses(case: Case, snapshot: SnapshotAssertion) -> None:
    lines = []
    for row in str(case.files["rows"]).splitlines():
        seen, whole = (html_to_text(unescaped(row), keeps_links=keeps) for keeps in (False, True))
        assert seen.num_links == whole.num_links
        lines += [
            row,
            f"  {seen.text!r}, {seen.num_links} removed",
            *[f"  {whole.text!r} with addresses"] * (whole != seen),
        ]
    assert "\n".join(lines) == snapshot


def test_malformed_html_takes_linear_time() -> None:
    for piece in ("<a ", "<!--", "</", "<span>", "</span>", "<b></i>", "&#", "<a b='", "<script>", " \n"):
        html_to_text(piece * 20_000)  # minutes, if the expression backtracked


TAGS = ("<p>", "</p>", "<br>", "<span class='invisible'>", '<span class="ellipsis">', "</span>", "<a href='", "</a>")
SCRAPS = (*"<>'\"a ", "<!--", "-->", "<![CDATA[", "<script>", "</script>", "&amp;", "&#", "99999999999")


@given(markup=st.lists(st.sampled_from(TAGS + SCRAPS) | st.text(max_size=3)).map("".join))
def test_any_html_yields_text_without_double_breaks(markup: str) -> None:
    text = html_to_text(markup).text
    assert "\n\n" not in text
    assert text == text.strip()

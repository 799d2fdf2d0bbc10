"""The columns of the feed at each width, and the surprise colours of its text."""

from __future__ import annotations

from bisect import bisect_right
from itertools import groupby
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, split_graphemes
from syrupy.assertion import SnapshotAssertion

from engine.text import harmless
from tests.fakes import tweet_sampled
from tui.formatting.tweets import shown_text
from tui.settings.theme import NOVELTY_GLYPHS
from tui.widgets.feed.layout import FeedColumns, age_of, changed_ranks, has_char_bits, step_width
from tui.widgets.feed.surprise import STEP_BITS, runs_by_surprise

TEXTS = st.text(st.sampled_from("ab c😍é日שع\u200d\ufe0f\u0301👩❤"), max_size=40)
WIDTHS = (117, 77, 57, 39)


def test_a_narrower_feed_has_fewer_columns(snapshot: SnapshotAssertion) -> None:
    tweet = tweet_sampled("hello", 12_345, novelty="near-copy")
    lines = []
    for width in WIDTHS:
        columns = FeedColumns(width, step_width(12_345, 5))
        before = "".join(text for text, _ in columns.before_text(tweet, is_selected=True, is_pinned=True))
        lines.append(f"{width:3}: {before}hello{columns.after_text(tweet)}|")
    assert "\n".join(lines) == snapshot


@given(
    width=st.sampled_from(WIDTHS),
    text=TEXTS,
    bits=st.floats(0, 1e6),
    novelty=st.sampled_from(sorted(NOVELTY_GLYPHS)),
    temperature=st.floats(0.05, 5),
    is_selected=st.booleans(),
    is_pinned=st.booleans(),
)
def test_the_text_has_the_same_cells_whatever_the_columns_contain(
    width: int, is_selected: bool, is_pinned: bool, bits: float, **drawn: Any
) -> None:
    columns = FeedColumns(width, 6)
    tweet = tweet_sampled(step=99_999, bits_per_char=bits, **drawn)
    before = columns.before_text(tweet, is_selected=is_selected, is_pinned=is_pinned)
    assert sum(cell_len(piece) for piece, _ in before) == columns.indent
    assert columns.indent + columns.text_width + cell_len(columns.after_text(tweet)) == width


@given(st.integers(1, 12), st.integers(0, 30))
def test_every_tweet_whose_brightness_changes_is_repainted_and_no_other(num_added: int, rank_before: int) -> None:
    has_changed = age_of(rank_before) != age_of(rank_before + num_added)
    assert has_changed == (rank_before + num_added in changed_ranks(num_added))


@given(TEXTS, st.data())
def test_runs_by_surprise_add_up_to_the_text_and_a_grapheme_is_as_surprising_as_its_worst_character(
    text: str, data: st.DataObject
) -> None:
    text = harmless(text)
    bits = data.draw(st.lists(st.floats(0, 20), min_size=len(text), max_size=len(text)))
    runs = list(runs_by_surprise(text, bits))
    graphemes = [(text[start:end], max(bits[start:end])) for start, end, _ in split_graphemes(text)[0]]
    steps = [(grapheme, bisect_right(STEP_BITS, worst)) for grapheme, worst in graphemes]
    grouped = groupby(steps, key=itemgetter(1))
    assert runs == [("".join(grapheme for grapheme, _ in group), step) for step, group in grouped]


@pytest.mark.parametrize(
    ("text", "num_bits", "reached_eos", "is_known"),
    [
        ("abc", 4, True, True),
        ("abc", 3, False, True),
        ("abc", 3, True, False),
        ("a\x1b[0mbc", 8, True, False),
    ],
)
def test_char_bits_count_only_if_every_character_has_one(
    text: str, num_bits: int, reached_eos: bool, is_known: bool
) -> None:
    event = tweet_sampled(text, char_bits=(1.0,) * num_bits, reached_eos=reached_eos)
    assert has_char_bits(event, shown_text(event)) == is_known

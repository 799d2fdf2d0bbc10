"""The columns of the feed at each width, and the surprise colours of its text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, split_graphemes

from engine.text import harmless
from tests.fakes import tweet_sampled
from tui.formatting.tweets import shown_text
from tui.settings.theme import NOVELTY_GLYPHS
from tui.widgets.feed.layout import (
    FeedColumns,
    age_of,
    changed_ranks,
    has_char_bits,
    step_width,
)
from tui.widgets.feed.surprise import NUM_STEPS, STEP_BITS, runs_by_surprise

TEXTS = st.text(st.sampled_from("ab c😍é日שع\u200d\ufe0f\u0301👩❤"), max_size=40)


@pytest.mark.parametrize(
    ("width", "before", "after"),
    [
        (117, "▌◆12,345 ◐ ", "  0.80  2.40 "),
        (77, "▌◆12,345 ◐ ", "  2.40 "),
        (57, "▌◆12,345 ◐ ", ""),
        (39, "▌◆◐ ", ""),
    ],
)
def test_a_narrower_feed_has_fewer_columns(width: int, before: str, after: str) -> None:
    columns = FeedColumns(width, step_width(12_345, 5))
    tweet = tweet_sampled("hello", 12_345, novelty="near-copy")
    parts = columns.before_text(tweet, is_selected=True, is_pinned=True)
    assert ("".join(text for text, _ in parts), columns.after_text(tweet)) == (before, after)


@given(
    width=st.sampled_from([117, 77, 57, 39]),
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


def test_the_newest_tweet_is_the_brightest_and_few_change_as_one_is_added() -> None:
    assert [age_of(rank) for rank in range(8)] == [0, 1, 1, 2, 2, 2, 3, 3]
    assert changed_ranks(1) == [1, 3, 6]


@given(st.integers(1, 12), st.integers(0, 30))
def test_every_tweet_whose_brightness_changes_is_repainted(num_added: int, rank_before: int) -> None:
    has_changed = age_of(rank_before) != age_of(rank_before + num_added)
    assert has_changed == (rank_before + num_added in changed_ranks(num_added))


@given(TEXTS, st.data())
def test_runs_by_surprise_add_up_to_the_text_and_split_no_grapheme(text: str, data: st.DataObject) -> None:
    text = harmless(text)
    bits = data.draw(st.lists(st.floats(0, 20), min_size=len(text), max_size=len(text)))
    pieces = list(runs_by_surprise(text, bits))
    assert "".join(piece for piece, _ in pieces) == text
    assert all(piece and 0 <= step < NUM_STEPS for piece, step in pieces)
    starts = {start for start, *_ in split_graphemes(text)[0]} | {len(text)}
    ends = [sum(len(piece) for piece, _ in pieces[: number + 1]) for number in range(len(pieces))]
    assert starts.issuperset(ends)


def test_more_bits_are_a_higher_step_and_a_grapheme_has_its_characters_highest() -> None:
    steps = [step for _, step in runs_by_surprise("abcdef", [0.0, *STEP_BITS])]
    assert steps == list(range(NUM_STEPS))
    assert list(runs_by_surprise("e\u0301e", [0.0, 4.0, 0.0])) == [("e\u0301", 3), ("e", 0)]


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

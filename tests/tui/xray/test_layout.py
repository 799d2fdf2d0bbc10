"""Lines by cells, columns by symbols, and the glyphs of both sets."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import hostile_text
from tui.formatting.cells import cell_len
from tui.xray.columns import symbols, window
from tui.xray.glyphs import ASCII, UNICODE, Glyphs, level_spans, percent
from tui.xray.layout import cut, line_width
from tui.xray.spans import Span

CELLS = st.lists(st.integers(1, 2), min_size=1, max_size=30)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_glyph_is_one_cell_wide_and_the_levels_differ(glyphs: Glyphs) -> None:
    drawn = "".join(map(str, astuple(glyphs)[:-1]))
    assert all(cell_len(glyph) == 1 for glyph in drawn)
    assert len(set(glyphs.levels)) == 8
    assert drawn.isascii() == (glyphs is ASCII)


def test_levels_cover_the_range_evenly_and_values_outside_are_clamped_with_their_shades() -> None:
    assert "".join(UNICODE.level(value / 8) for value in range(-1, 10)) == "▁▁▂▃▄▅▆▇███"
    assert "".join(UNICODE.level(value, low=-1.0) for value in (-1, -0.5, 0, 0.5, 1)) == "▁▃▅▇█"
    spans = level_spans((-3.0, 0.5, 3.0), UNICODE, is_signed=True)
    assert [(span.text, span.shade) for span in spans] == [("▁", -1.0), ("▇", 0.5), ("█", 1.0)]
    assert level_spans((-3.0,), UNICODE)[0].shade == 0.0


def test_only_exact_shares_are_0_and_100_percent() -> None:
    shares = (0.0, 1e-9, 0.004, 0.62, 0.99999, 1.0)
    assert ", ".join(map(percent, shares)) == "0 %, <0.1 %, 0.4 %, 62 %, 99.9 %, 100 %"


def test_a_code_point_within_a_grapheme_has_a_column_of_its_own() -> None:
    assert symbols("e\u0301👍🏽", UNICODE) == ("▸", "e", "◌\u0301", "👍", "◌", "■")
    assert symbols("e\u0301", ASCII, has_ended=False) == (">", "e", "+", "~")


@given(hostile_text(), st.integers(0, 20))
def test_each_character_has_one_column_columns_do_not_merge_and_a_cut_line_is_never_wider(
    text: str, width: int
) -> None:
    shown = symbols(text, UNICODE)
    assert len(shown) == len(text) + 2
    assert {cell_len(symbol) for symbol in shown} <= {1, 2}
    assert cell_len("".join(shown)) == sum(map(cell_len, shown))
    assert line_width(cut((Span(text), Span(text)), width, UNICODE)) <= width


@given(CELLS, st.integers(0, 40), st.data())
def test_the_window_holds_the_cursor_and_as_many_columns_as_fit(
    cells: list[int], width: int, data: st.DataObject
) -> None:
    cursor = data.draw(st.integers(0, len(cells) - 1))
    visible = window(cells, cursor, width)
    used = sum(cells[visible.start : visible.stop])
    assert used <= width
    assert cursor in visible or cells[cursor] > width
    if visible:
        assert visible.start == 0 or used + cells[visible.start - 1] > width
        assert visible.stop == len(cells) or used + cells[visible.stop] > width

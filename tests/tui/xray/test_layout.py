"""Lines by cells, columns by symbols, and the glyphs of both sets."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import hostile_text
from tui.formatting.cells import cell_len
from tui.xray.columns import symbols, window
from tui.xray.glyphs import ASCII, UNICODE, Glyphs, level_spans, percent, pooled
from tui.xray.layout import beside, cut, line_width
from tui.xray.spans import Span, plain

CELLS = st.lists(st.integers(1, 2), min_size=1, max_size=30)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_glyph_is_one_cell_wide_and_the_levels_differ(glyphs: Glyphs) -> None:
    assert all(cell_len(glyph) == 1 for glyph in "".join(map(str, astuple(glyphs)[:-1])))
    assert len(set(glyphs.levels)) == 8


def test_the_ascii_set_is_ascii() -> None:
    assert "".join(map(str, astuple(ASCII))).isascii()
    assert ASCII.name("g") + ASCII.name(" ") + ASCII.label(" ") + ASCII.name("") == "'g'a space_the end"
    assert ASCII.bar(0.5, 4) == "##  "


def test_levels_cover_the_range_evenly_and_clamp_what_is_outside() -> None:
    assert "".join(UNICODE.level(value / 8) for value in range(-1, 10)) == "▁▁▂▃▄▅▆▇███"
    assert "".join(UNICODE.level(value, low=-1.0) for value in (-1, -0.5, 0, 0.5, 1)) == "▁▃▅▇█"


def test_shades_are_clamped_as_their_glyphs_are() -> None:
    spans = level_spans((-3.0, 0.5, 3.0), UNICODE, is_signed=True)
    assert [(span.text, span.shade) for span in spans] == [("▁", -1.0), ("▇", 0.5), ("█", 1.0)]
    assert level_spans((-3.0,), UNICODE)[0].shade == 0.0


def test_pooling_takes_means_of_neighbours() -> None:
    assert pooled((1.0, 3.0, 5.0, 7.0), 2) == (2.0, 6.0)
    assert pooled((1.0, 3.0, 5.0), 2) == (1.0, 4.0)
    assert pooled((1.0, 3.0), 8) == (1.0, 3.0)
    assert pooled((1.0, 3.0), 0) == ()


def test_only_exact_shares_are_0_and_100_percent() -> None:
    assert [percent(share) for share in (0.0, 1e-9, 0.004, 0.62, 0.99999, 1.0)] == [
        *("0 %", "<0.1 %", "0.4 %", "62 %", "99.9 %", "100 %")
    ]


def test_a_line_that_is_too_long_ends_with_an_ellipsis() -> None:
    line = (Span("ab", "title"), Span("漢字", "value"))
    assert plain((cut(line, 6, UNICODE),)) == "ab漢字"
    assert plain((cut(line, 5, UNICODE),)) == "ab漢…"
    assert plain((cut(line, 4, ASCII),)) == "ab ~"
    assert plain((cut(line, 1, UNICODE),)) == "…"
    assert cut(line, 0, UNICODE) == ()


def test_pictures_of_different_heights_stand_side_by_side() -> None:
    left, right = ((Span("a漢"),),), ((Span("x"),), (Span("y"),))
    assert plain(beside(left, right, 5)) == "a漢    x\n       y"
    assert plain(beside(right, left, 3)) == "x    a漢\ny"


def test_a_code_point_within_a_grapheme_has_a_column_of_its_own() -> None:
    assert symbols("e\u0301👍🏽", UNICODE) == ("▸", "e", "◌\u0301", "👍", "◌", "■")
    assert symbols("e\u0301", ASCII, has_ended=False) == (">", "e", "+", "~")


@given(hostile_text())
def test_each_character_has_one_column_and_columns_do_not_merge(text: str) -> None:
    shown = symbols(text, UNICODE)
    assert len(shown) == len(text) + 2
    assert {cell_len(symbol) for symbol in shown} <= {1, 2}
    assert cell_len("".join(shown)) == sum(map(cell_len, shown))


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


def test_the_window_follows_the_cursor_in_its_middle() -> None:
    assert window([1] * 50, 20, 11) == range(15, 26)
    assert window([1] * 50, 0, 11) == range(11)
    assert window([1] * 50, 49, 11) == range(39, 50)


@given(hostile_text(), st.integers(0, 20))
def test_a_cut_line_is_never_wider(text: str, width: int) -> None:
    assert line_width(cut((Span(text), Span(text)), width, UNICODE)) <= width

"""Lines by cells, columns by symbols, the glyphs of both sets, and the places of characters on the map."""

from __future__ import annotations

from dataclasses import astuple
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocol.events import CharPoint, EmbeddingsMapped
from tests.fakes import embeddings_mapped
from tests.strategies import hostile_text
from tui.formatting.cells import cell_len
from tui.xray.char_classes import class_of
from tui.xray.columns import symbols, window
from tui.xray.glyphs import ASCII, UNICODE, Glyphs, level_spans, percent
from tui.xray.layout import cut, line_width
from tui.xray.map_layout import CELL_ASPECT, aligned, placed
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


def scattered(chars: str, **places: tuple[float, float]) -> tuple[CharPoint, ...]:
    """Return characters at random places, those of `places` at theirs."""
    source = np.random.default_rng(1)
    found = ((char, places.get(char) or (source.normal(), source.normal())) for char in chars)
    return tuple(CharPoint(char=char, x=x, y=y) for char, (x, y) in found)


def changed(mapped: EmbeddingsMapped, *, swaps: bool, signs: tuple[int, int], noise: float) -> EmbeddingsMapped:
    """Return the same map as another computation of its components might give it, a little later in training."""
    source = np.random.default_rng(0)
    points = (
        CharPoint(
            char=point.char,
            x=signs[0] * ((point.y if swaps else point.x) + source.normal() * noise),
            y=signs[1] * ((point.x if swaps else point.y) + source.normal() * noise),
        )
        for point in mapped.points
    )
    shares = mapped.variance_shares
    return embeddings_mapped(points=tuple(points), variance_shares=shares[::-1] if swaps else shares)


@pytest.mark.parametrize(("swaps", "signs"), list(product((False, True), product((1, -1), repeat=2))))
def test_a_map_does_not_jump_when_axes_change_sign_or_order(swaps: bool, signs: tuple[int, int]) -> None:
    before = embeddings_mapped(points=scattered("aeioubcdfghjklmnpqrst"))
    after = aligned(changed(before, swaps=swaps, signs=signs, noise=0.1), before)
    assert after.variance_shares == before.variance_shares
    moves = [abs(new.x - old.x) + abs(new.y - old.y) for new, old in zip(after.points, before.points, strict=True)]
    assert max(moves) < 1.0


def test_the_first_map_and_one_without_common_characters_are_not_changed() -> None:
    mapped = embeddings_mapped()
    assert aligned(mapped, None) == mapped
    assert aligned(mapped, embeddings_mapped(points=scattered("xyz"))) == mapped


@pytest.mark.parametrize(("width", "height"), [(81, 21), (30, 40)])
def test_distances_on_the_grid_are_those_of_the_map(width: int, height: int) -> None:
    points = scattered("abcd", a=(-1.0, 0.0), b=(1.0, 0.0), c=(0.0, 1.0), d=(0.0, -1.0))
    grid = {each.char: each for each in placed(points, width, height, cell_len)}
    across, down = grid["b"].column - grid["a"].column, grid["d"].row - grid["c"].row
    assert across == pytest.approx(CELL_ASPECT * down, abs=1)
    assert across == width - 1 or down == height - 1


def test_the_more_frequent_of_two_coinciding_characters_keeps_its_place_and_the_other_moves_beside_it() -> None:
    points = scattered("xeqw", x=(-1.0, -1.0), e=(0.5, 0.5), q=(0.5, 0.5), w=(1.0, 1.0))
    grid = {each.char: each for each in placed(points, 41, 21, cell_len)}
    alone = {each.char: each for each in placed(points[:2] + points[3:], 41, 21, cell_len)}
    assert grid["e"] == alone["e"]
    assert (abs(grid["q"].row - grid["e"].row), abs(grid["q"].column - grid["e"].column)) in {(0, 1), (1, 0)}


@pytest.mark.parametrize(("width", "height"), [(40, 8), (10, 4), (2, 2), (1, 1)])
def test_no_two_characters_share_a_cell_however_small_the_map(width: int, height: int) -> None:
    found = placed(scattered("".join(map(chr, range(33, 127))) + "漢字仮名"), width, height, cell_len)
    cells = [(each.row, each.column + n) for each in found for n in range(cell_len(each.char))]
    assert len(cells) == len(set(cells))
    assert all(0 <= row < height and 0 <= column < width for row, column in cells)
    assert found[0].char == "!"


def test_characters_are_classed() -> None:
    chars = {
        "vowels": "aé",
        "consonants": "zß",
        "capitals": "T",
        "digits": "7",
        "punctuation": "!+’",
        "other": " 😀漢↵",
    }
    assert [(name, char) for name, each in chars.items() for char in each if class_of(char) != name] == []

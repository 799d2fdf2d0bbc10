"""The parts of a picture: the text with its glyphs and cursor, columns, levels, characters on the map, and shades."""

from __future__ import annotations

from dataclasses import astuple
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs
from rich.color import ColorSystem
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from textual.app import ComposeResult
from textual.color import Color
from textual.geometry import Region

from engine.protocol.insight import CharPoint
from tests.fakes import embeddings_mapped
from tests.strategies import hostile_text
from tests.tui.conftest import wait_until
from tests.tui.test_colours import colours_of, contrast
from tui.terminal.app import TerminalApp
from tui.terminal.theme import OWN_THEMES, SIXTEEN_COLOURS_THEME, THEMES
from tui.text.cells import cell_len, num_cells, plain
from tui.text.numbers import shown_percent
from tui.widgets.xray.picture_view import NUM_SHADES, PictureView
from tui.xray.char_map import CELL_ASPECT, aligned, placed
from tui.xray.drawing import ASCII, NUM_CELL_SHADES, UNICODE, Glyphs, Picture, Shades, Span, cut, percent
from tui.xray.heat_map import Block, HeatMap, level_spans, symbols, window
from tui.xray.text_strip import TextStrip


def rising(text: str) -> Shades:
    """Return values that rise by an eighth a symbol, none for `<BOS>`."""
    return Shades((None, *(place % 8 / 7 for place in range(len(text) + 1))), "place", "0", "7")


SIGNED = Shades((-1.0, 0.0, 1.0, None), "state", "-1", "1", is_signed=True)
STRONGEST = Shades((None, 0.0, 0.2, 0.9, 0.0, 0.0), "bits", "0", "8")
STRIPS: dict[str, tuple[str, int, int, int, Glyphs, Shades | None]] = {
    "a glyph below each character": ("abcdefgh", 20, 0, 10, UNICODE, rising("abcdefgh")),
    "in ASCII": ("abcdefgh", 20, 0, 10, ASCII, rising("abcdefgh")),
    "without shades": ("abc", 20, 2, 2, UNICODE, None),
    "signed values use the whole ramp": ("ab", 20, 2, 10, UNICODE, SIGNED),
    "lines break after a blank": ("one two three", 9, 0, 10, UNICODE, rising("one two three")),
    "a blank at the end of a line has its cell": ("one two three", 8, 0, 10, UNICODE, rising("one two three")),
    "a long word breaks anywhere": ("abcdefgh", 5, 0, 10, UNICODE, rising("abcdefgh")),
    "a grapheme has its strongest value": ("a👍🏽b", 20, 1, 10, UNICODE, STRONGEST),
    "the cursor on a grapheme": ("a👍🏽b", 20, 3, 10, UNICODE, STRONGEST),
    **{
        f"height {height}, cursor {cursor} of five lines": (text, 5, cursor, height, UNICODE, rising(text))
        for text in ("aaa bbb ccc ddd eee",)
        for height, cursor in ((10, 0), (4, 0), (4, 10), (2, 13), (1, 13), (3, 19), (0, 0))
    },
}
"""Text, width, cursor, height, glyphs and shades."""


def test_texts_are_drawn_as_recorded(snapshot: SnapshotAssertion) -> None:
    recorded = [
        f"# {about}\n{plain(TextStrip(text, width, glyphs).picture(cursor, height, shades))}"
        for about, (text, width, cursor, height, glyphs, shades) in STRIPS.items()
    ]
    assert "\n".join(recorded) == snapshot


def test_a_cell_leads_back_to_its_symbol() -> None:
    strip = TextStrip("a漢b c", 5, UNICODE)
    first, second = [0, 1, 2, 2, 3, None], [4, 5, 6, None, None, None]
    found = [[strip.symbol_at(x, y, 0, 9) for x in range(6)] for y in range(5)]
    assert found == [first, first, second, second, [None] * 6]
    scrolled = TextStrip("aaa bbb ccc", 5, UNICODE)
    assert [scrolled.symbol_at(x, 0, 10, height) for x, height in ((0, 2), (0, 1), (-1, 2))] == [9, 9, None]


def test_the_cursor_moves_to_the_same_column_of_another_line_but_never_to_the_end() -> None:
    strip = TextStrip("aaa bbb cc", 5, UNICODE)  # lines "▸aaa ", "bbb ", "cc■"
    assert [strip.moved_by_lines(cursor, 1) for cursor in range(11)] == [5, 6, 7, 8, 8, 9, 10, 10, 10, 9, 10]
    assert [strip.moved_by_lines(cursor, -1) for cursor in (2, 5, 7, 10)] == [2, 0, 2, 6]


@given(hostile_text(), st.floats(0, 1), st.integers(1, 24), st.integers(0, 9))
@example("\x1b[31m\u200d", 0.0, 24, 9)  # a joiner at the end joins nothing
def test_no_text_is_wider_than_the_width_or_hides_its_cursor_whose_cell_leads_back_and_each_shade_has_its_glyph(
    text: str, at: float, width: int, height: int
) -> None:
    cursor = round(at * len(text))
    strip = TextStrip(text, width, UNICODE)
    picture = strip.picture(cursor, height, rising(text))
    assert len(picture) <= height
    assert all(cell_len("".join(span.text for span in line)) == num_cells(line) <= width for line in picture)
    assert any(span.style == "cursor" for line in picture for span in line) == (height > 0)
    for above, below in zip(picture[::2], picture[1::2], strict=False) if height > 1 else ():
        for upper, lower in zip(above, below, strict=True):
            assert upper.shade is None or set(lower.text) == {UNICODE.level(upper.shade)}
    for number in (-1, 1):
        assert 0 <= strip.moved_by_lines(cursor, number) <= len(text)
    line = strip.picture(cursor, 2)[0]
    before = next(number for number, span in enumerate(line) if span.style == "cursor")
    found = strip.symbol_at(num_cells(line[:before]), 0, cursor, 2)
    assert found is not None
    assert strip.picture(found, 2)[0] == line


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
    assert ", ".join(map(shown_percent, (0.62, 0.9949, 0.995, 0.9999, 1.0))) == "  62%,   99%, 99.5%, 99.9%,  100%"


def test_a_number_beside_a_row_of_a_heat_map_is_not_negative_where_it_rounds_to_0() -> None:
    states = ((-0.001, -0.5),)
    block = Block(bands=states, letter="h", name="state", is_signed=True)
    rows = HeatMap("", 0, 60, UNICODE, num_units=2, num_numbers=1).rows(block, 2, states)
    assert [line[2].text.strip() for line in rows] == ["+0.00", "-0.50"]


def test_a_code_point_within_a_grapheme_has_a_column_of_its_own() -> None:
    assert symbols("e\u0301👍🏽", UNICODE) == ("▸", "e", "◌\u0301", "👍", "◌", "■")
    assert symbols("e\u0301", ASCII, has_ended=False) == (">", "e", "+", "~")


@given(hostile_text(), st.integers(0, 20))
def test_each_character_has_one_column_columns_do_not_merge_and_a_cut_line_is_no_wider(text: str, width: int) -> None:
    shown = symbols(text, UNICODE)
    assert len(shown) == len(text) + 2
    assert {cell_len(symbol) for symbol in shown} <= {1, 2}
    assert cell_len("".join(shown)) == sum(map(cell_len, shown))
    assert num_cells(cut((Span(text), Span(text)), width, UNICODE)) <= width


@given(st.lists(st.integers(1, 2), min_size=1, max_size=30), st.integers(0, 40), st.data())
def test_the_window_has_the_cursor_and_all_columns_that_fit(cells: list[int], width: int, data: st.DataObject) -> None:
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


@pytest.mark.parametrize(("swaps", "signs"), list(product((False, True), product((1.1, -1.1), repeat=2))))
def test_a_map_does_not_jump_when_axes_change_sign_or_order(swaps: bool, signs: tuple[float, float]) -> None:
    before = embeddings_mapped(points=scattered("aeioubcdfghjklmnpqrst"))
    places = [(point.y, point.x) if swaps else (point.x, point.y) for point in before.points]
    moved = [(signs[0] * x, signs[1] * y) for x, y in places]
    points = tuple(structs.replace(old, x=x, y=y) for old, (x, y) in zip(before.points, moved, strict=True))
    shares = before.variance_shares[::-1] if swaps else before.variance_shares
    after = aligned(structs.replace(before, points=points, variance_shares=shares), before)
    assert after.variance_shares == before.variance_shares
    expected = np.array([(1.1 * point.x, 1.1 * point.y) for point in before.points])
    assert np.array([(point.x, point.y) for point in after.points]) == pytest.approx(expected)
    assert aligned(before, embeddings_mapped(points=scattered("xyz"))) == before


@pytest.mark.parametrize(("width", "height"), [(81, 21), (30, 40)])
def test_distances_on_the_grid_are_those_of_the_map(width: int, height: int) -> None:
    points = scattered("abcd", a=(-1.0, 0.0), b=(1.0, 0.0), c=(0.0, 1.0), d=(0.0, -1.0))
    a, b, c, d = sorted(placed(points, width, height, cell_len), key=lambda each: each.char)
    across, down = b.column - a.column, d.row - c.row
    assert across == pytest.approx(CELL_ASPECT * down, abs=1)
    assert across == width - 1 or down == height - 1


def test_the_more_frequent_of_two_coinciding_characters_keeps_its_place_and_the_other_moves_beside_it() -> None:
    points = scattered("xeqw", x=(-1.0, -1.0), e=(0.5, 0.5), q=(0.5, 0.5), w=(1.0, 1.0))
    grid, alone = (
        {each.char: each for each in placed(some, 41, 21, cell_len)} for some in (points, (*points[:2], points[3]))
    )
    assert grid["e"] == alone["e"]
    assert (abs(grid["q"].row - grid["e"].row), abs(grid["q"].column - grid["e"].column)) in {(0, 1), (1, 0)}


@pytest.mark.parametrize(("width", "height"), [(40, 8), (10, 4), (2, 2), (1, 1)])
def test_no_two_characters_share_a_cell_however_small_the_map(width: int, height: int) -> None:
    found = placed(scattered("".join(map(chr, range(33, 127))) + "漢字仮名"), width, height, cell_len)
    cells = [(each.row, each.column + n) for each in found for n in range(cell_len(each.char))]
    assert len(cells) == len(set(cells))
    assert all(0 <= row < height and 0 <= column < width for row, column in cells)
    assert found[0].char == "!"


PICTURE: Picture = ((Span("state "), Span("▒▒", shade=0.5), Span("░", shade=-0.2)), (Span("[/b] 雪", "muted"),))


class OnePicture(PictureView):
    """Shows one picture."""

    DEFAULT_CSS = "OnePicture { height: 1fr; }"
    picture = PICTURE

    def lines_for(self, width: int) -> Picture:
        return self.picture

    def show_picture(self, picture: Picture) -> None:
        self.picture = picture
        self.redraw()


class PictureApp(TerminalApp[None]):
    def compose(self) -> ComposeResult:
        yield OnePicture()


async def test_a_picture_has_a_background_per_shade_and_repaints_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PictureApp()
    async with app.run_test(size=(20, 5)):
        view = app.query_one(OnePicture)
        drawn = ["".join(segment.text for segment in view.render_line(y)) for y in range(3)]
        assert [line.rstrip() for line in drawn] == ["state ▒▒░", "[/b] 雪", ""]
        backgrounds = [segment.style and segment.style.bgcolor for segment in view.render_line(0)]
        assert len(set(backgrounds[:3])) == 3, "none, one hue, the other hue"
        repainted: list[Any] = []
        monkeypatch.setattr(view, "refresh", lambda *regions, **_: repainted.append(regions))
        view.show_picture(PICTURE)
        view.show_picture(((*PICTURE[0][:2], Span("▓", shade=-0.7)), PICTURE[1]))
        assert repainted == [(Region(8, 0, 1, 1),)]
        view.show_picture((PICTURE[0], (Span("[/b] 雨", "muted"),)))
        assert repainted[1:] == [(Region(8, 0, 1, 1), Region(0, 1, 20, 1))], "a line with a wide character as a whole"
        view.show_picture(PICTURE[:1])
        assert repainted[2:] == [()], "all, where there are fewer lines"


async def test_text_on_every_shade_is_readable_and_keeps_its_attributes_and_a_cell_is_a_glyph_without_colours() -> None:
    """A cell of a heat map is blue with a minus below 0, dark at 0 and amber above it."""
    app = PictureApp()
    values = [step / NUM_CELL_SHADES for step in range(-NUM_CELL_SHADES, NUM_CELL_SHADES + 1)]
    cells = level_spans(values, UNICODE, is_signed=True)
    async with app.run_test(size=(40, 5)):
        view = app.query_one(OnePicture)

        def drawn(*spans: Span) -> list[tuple[str, Style]]:
            view.show_picture((spans,))
            return [(each.text, each.style or Style()) for each in view.render_line(0)][: len(spans)]

        for theme in THEMES:
            app.register_theme(theme)
            app.theme = theme.name
            paper = Color.parse(theme.background or "")
            await wait_until(lambda paper=paper: view.background_colors[1] == paper, theme.name)  # type: ignore[misc]
            for kind in ("text", "title", "value", "good", "muted") if theme in OWN_THEMES else ():
                shades = (step / NUM_SHADES for step in range(-NUM_SHADES, NUM_SHADES + 1))
                styles = [style for _, style in drawn(*(Span("a", kind, shade) for shade in shades))]
                assert len({style.bgcolor for style in styles}) == 2 * NUM_SHADES + 1
                assert len({style.bold for style in styles}) == 1
                assert min(contrast(*colours_of(style)) for style in styles) >= 4.5, theme.name
            assert "".join(text for text, _ in drawn(*cells)) == "-" * NUM_CELL_SHADES + " " * (NUM_CELL_SHADES + 1)
            assert min(contrast(*colours_of(style)) for text, style in drawn(*cells) if text == "-") >= 3
            colours = [Color.from_rich_color(style.bgcolor) for _, style in drawn(*cells)]
            blue, dark, amber = colours[0], colours[NUM_CELL_SHADES], colours[-1]
            assert len(set(colours)) == len(cells)
            assert dark == paper
            assert blue.b > max(blue.r, blue.g)
            assert amber.r > amber.g > amber.b
            assert min(contrast(each, paper) for each in (blue, amber)) >= 3, theme.name
            if theme is SIXTEEN_COLOURS_THEME:
                numbers = [each.rich_color.downgrade(ColorSystem.STANDARD).number for each in colours]
                assert numbers == [12, 12, 4, 4, 4, 4, 0, 0, 0, 0, 0, 3, 3, 3, 3, 11, 11]
        app.no_color = True
        view.notify_style_update()  # of a program, it is set before anything is drawn
        assert [text for text, _ in drawn(*cells)] == [span.text for span in cells]
        assert {Color.from_rich_color(style.bgcolor) for _, style in drawn(*cells)} == {view.background_colors[1]}

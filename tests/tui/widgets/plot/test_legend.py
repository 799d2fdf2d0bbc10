"""The legend over the plot: everything in view has its meaning, at every size, on as many pages as needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.tui.widgets.plot.curves import falling_losses, is_braille, view_of
from tui.run.levels import Level
from tui.run.marks import Mark, MarkKind
from tui.run.view import RunView
from tui.terminal.capabilities import GlyphSet
from tui.widgets.plot.glyphs import MARK_LETTERS, MARK_MEANINGS
from tui.widgets.plot.pane import PlotOptions
from tui.widgets.plot.picture import Picture
from tui.widgets.plot.viewport import PlotView

LEVELS = (Level(name="unigram", bits_per_char=4.4, crossed_at=300), Level(name="6-gram", bits_per_char=2.2))
PLAIN = PlotOptions()


def marked(*kinds: MarkKind) -> RunView:
    marks = tuple(Mark(step=100 * number, kind=kind, label=kind) for number, kind in enumerate(kinds, 1))
    return replace(view_of(falling_losses(3000), 2.8, 2.6), marks=marks, levels=LEVELS)


def pages_of(view: RunView, size: tuple[int, int], options: PlotOptions = PLAIN) -> list[str]:
    picture = Picture()
    picture.draw(view, PlotView(), options, *size)
    first = picture.with_labels(PlotView(), is_focused=False, legend_page=0)
    others = (
        picture.with_labels(PlotView(), is_focused=False, legend_page=page)
        for page in range(1, picture.num_legend_pages)
    )
    return ["\n".join(cells.text()) for cells in (first, *others)]


@pytest.mark.parametrize("size", [(40, 9), (40, 6), (74, 9), (78, 21), (150, 33)])
def test_every_line_and_letter_in_view_is_explained_at_every_size(size: tuple[int, int]) -> None:
    kinds = [kind for kind in MARK_LETTERS if kind != "level"]
    pages = pages_of(marked(*kinds, "temperature"), size)
    text = "\n".join(pages)
    assert all("esc: close" in page for page in pages)
    for kind in kinds:
        letter, meaning = MARK_LETTERS[kind], MARK_MEANINGS[kind]
        assert f" {letter}   {meaning}{', 2x' if kind == 'temperature' else ''}" in text
    for line in ("⠒⠒  train loss", "⣿   train losses of", "●   validation", "◆   best: 2.60 at step 3,000"):
        assert line in text
    assert "4.40 unigram, beaten at 300" in text
    assert "2.20 6-gram, to beat" in text
    assert f" {MARK_LETTERS['level']}   {MARK_MEANINGS['level']}" in text


def test_a_page_that_no_longer_exists_after_a_resize_is_replaced_by_the_last_one() -> None:
    picture = Picture()
    picture.draw(marked("paused"), PlotView(), PLAIN, 150, 33)
    cells = picture.with_labels(PlotView(), is_focused=False, legend_page=2)
    assert picture.num_legend_pages == 1
    assert cells.text() == picture.with_labels(PlotView(), is_focused=False, legend_page=0).text()


def test_the_legend_hides_the_marks_at_the_cursor_whole_so_that_no_wide_character_is_halved() -> None:
    view = replace(view_of(falling_losses(3000)), marks=(Mark(step=1500, kind="saved", label="日本" * 10),))
    picture, at_mark = Picture(), PlotView(cursor=1500)
    for width in (60, 61, 80, 81):
        picture.draw(view, at_mark, PLAIN, width, 20)
        assert "日本" in picture.with_labels(at_mark, is_focused=True).text()[1]
        rows = picture.with_labels(at_mark, is_focused=True, legend_page=0).text()
        assert {cell_len(row) for row in rows} == {width}
        assert "日" not in rows[1]


def test_numbers_are_explained_where_marks_are_counted_and_only_there() -> None:
    marks = tuple(Mark(step=1500, kind=kind, label=kind) for kind in ("saved", "paused", "temperature"))
    pair, three = (replace(view_of(falling_losses(3000)), marks=some) for some in (marks[:2], marks))
    low, tall = (100, 9), (100, 25)
    counted = {
        (num, size): any("2-9" in page for page in pages_of(view, size))
        for num, view in ((2, pair), (3, three))
        for size in (low, tall)
    }
    assert counted == {(2, low): True, (2, tall): False, (3, low): True, (3, tall): True}


def test_the_legend_explains_only_what_is_drawn() -> None:
    (page,) = pages_of(marked("paused"), (100, 25), PlotOptions(shows_levels=False))
    assert "P   paused" in page
    for absent in ("gram", "level", "temperature", "above the plot"):
        assert absent not in page


def test_a_meaning_is_whole_where_there_is_room() -> None:
    (page,) = pages_of(marked("paused"), (100, 25))
    assert "2.20 6-gram, to beat: counting six characters" in page
    assert "…" not in page


@pytest.mark.parametrize("glyphs", ["block", "ascii"])
def test_the_legend_uses_only_glyphs_of_the_set(glyphs: GlyphSet) -> None:
    (page,) = pages_of(marked("paused", "saved"), (100, 25), PlotOptions(glyphs=glyphs))
    assert not any(is_braille(char) for char in page)
    assert page.isascii() == (glyphs == "ascii")

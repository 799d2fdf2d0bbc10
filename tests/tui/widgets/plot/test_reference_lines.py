"""Levels, best validation and current loss across the plot: lines exact to the dot, each label beside its value."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import steps_finished
from tests.tui.widgets.plot.curves import falling_losses, view_of
from tui.run.levels import Level
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.terminal.capabilities import GlyphSet
from tui.widgets.plot.cell_grid import STYLE_NAMES, CellGrid
from tui.widgets.plot.pane import PlotOptions
from tui.widgets.plot.picture import Picture
from tui.widgets.plot.viewport import PlotView

BITS = {"uniform": 7.6, "unigram": 4.4, "bigram": 3.4, "6-gram": 2.3}
BASE = view_of(falling_losses(1200), 3.0, 2.6, 2.8)
PLAIN = PlotOptions()


def with_levels(crossed: int = 2, **bits: float) -> RunView:
    """Return a view with levels, of which the first are crossed."""
    levels = [
        Level(name=name, bits_per_char=value, crossed_at=400 if number < crossed else None)
        for number, (name, value) in enumerate((bits or BITS).items())
    ]
    return replace(BASE, levels=tuple(levels))


def drawn(view: RunView, size: tuple[int, int] = (100, 22), options: PlotOptions = PLAIN) -> tuple[CellGrid, Picture]:
    picture = Picture()
    picture.draw(view, PlotView(), options, *size)
    return picture.with_labels(PlotView(), is_focused=False), picture


def labels_of(cells: CellGrid, picture: Picture) -> dict[str, int]:
    """Return the rows of the labels in the gutter, by text."""
    (pane,) = picture.panes.values()
    rows = enumerate(row[pane.right :].strip() for row in cells.text()[1 : pane.height + 1])
    return {text: row for row, text in rows if text}


def test_labels_stand_beside_their_lines_with_the_value_first() -> None:
    cells, picture = drawn(with_levels(), size=(100, 40))
    (pane,) = picture.panes.values()
    labels = labels_of(cells, picture)
    assert {re.sub(r"^\S+ ", "", text) for text in labels} == {
        "uniform ↑",
        "unigram ✓",
        "bigram",
        "6-gram",
        "best ◆",
        "train",
    }
    for text, row in labels.items():
        if "↑" not in text:
            line = pane.row_of(float(text.split()[0]) * np.log(2))
            assert line is not None
            assert abs(row - line) <= 1, text


def test_the_label_of_the_current_loss_is_in_the_row_where_its_line_ends() -> None:
    cells, picture = drawn(with_levels())
    (pane,) = picture.panes.values()
    row = labels_of(cells, picture)[f"{BASE.smoothed_bits:.2f} train"]
    styles = cells.styles[row + 1, pane.left : pane.right]
    assert np.flatnonzero(styles == STYLE_NAMES.index("line"))[-1] == pane.column_of(1200)


def test_a_beaten_level_is_fainter_and_hidden_levels_leave_no_trace() -> None:
    cells, picture = drawn(with_levels(bigram=3.3, unigram=2.9, crossed=1))
    (pane,) = picture.panes.values()
    counts = {
        row: int((cells.styles[row + 1] == STYLE_NAMES.index("level")).sum())
        for row in (pane.row_of(bits * np.log(2)) or 0 for bits in (3.3, 2.9))
    }
    beaten, open_ = counts.values()
    assert 0 < beaten < 0.7 * open_
    hidden, _ = drawn(with_levels(), options=PlotOptions(shows_levels=False))
    without, _ = drawn(BASE)
    assert hidden.text() == without.text()


@given(
    st.lists(st.floats(0.5, 9), min_size=4, max_size=4),
    st.integers(0, 4),
    st.sampled_from([(40, 9), (60, 6), (80, 12), (120, 30)]),
)
def test_labels_never_share_a_row_and_best_and_current_loss_are_always_labelled(
    bits: list[float], crossed: int, size: tuple[int, int]
) -> None:
    view = with_levels(crossed=crossed, **dict(zip(BITS, sorted(bits, reverse=True), strict=True)))
    cells, picture = drawn(view, size)
    (pane,) = picture.panes.values()
    texts = [row[pane.right :].strip() for row in cells.text()[1 : pane.height + 1]]
    values = [float(text.split()[0]) for text in texts if text]
    assert values == sorted(values, reverse=True)
    assert "2.60" in {text.split()[0] for text in texts if text}
    assert f"{BASE.smoothed_bits:.2f}" in {text.split()[0] for text in texts if text}
    always = (2.6, BASE.smoothed_bits or 0.0)
    lines = [(f"{value:.2f}", pane.row_of(value * np.log(2))) for value in (*always, *bits)]
    others = {*pane.axis.tick_rows, *(line for _, line in lines)}
    for row, text in enumerate(texts):
        if text and not text.endswith(("↑", "↓")):
            own = [line for value, line in lines if value == text.split()[0] and line is not None]
            assert any(abs(row - line) <= 1 for line in own), text
            assert row in own or row not in others or text.split()[0] in {f"{value:.2f}" for value in always}, text


def test_the_best_validation_keeps_its_row_and_a_level_in_that_row_has_neither_line_nor_label_of_its_own() -> None:
    cells, picture = drawn(with_levels(crossed=3, **{**BITS, "6-gram": 2.55}))
    (pane,) = picture.panes.values()
    row = labels_of(cells, picture)["2.60 best ◆"]
    assert row == pane.row_of(2.6 * np.log(2)) == pane.row_of(2.55 * np.log(2))
    assert STYLE_NAMES.index("level") not in cells.styles[row + 1]
    assert not any("6-gram" in text for text in cells.text())


@pytest.mark.parametrize(("width", "label"), [(100, "11.70 uniform ↑"), (40, "11.70 ↑")])
def test_the_label_of_a_level_above_ten_bits_is_whole(width: int, label: str) -> None:
    assert label in labels_of(*drawn(with_levels(crossed=0, uniform=11.7, unigram=4.4), size=(width, 22)))


@given(st.floats(0.5, 9))
def test_the_level_to_beat_is_in_view_unless_it_is_far_below(bits: float) -> None:
    _, alone = drawn(BASE)
    _, picture = drawn(with_levels(crossed=0, bigram=bits))
    (before,), (after,) = alone.panes.values(), picture.panes.values()
    assert after.axis.limits.span <= 2.5 * before.axis.limits.span
    if 2.0 <= bits <= 3.5:
        assert after.row_of(bits * np.log(2)) is not None


def test_new_steps_change_the_label_only_where_its_text_differs() -> None:
    cells, picture = drawn(with_levels())
    view = apply(with_levels(), steps_finished(1201, [1.7]))
    picture.draw(view, PlotView(), PLAIN, 100, 22)
    changes = list(picture.with_labels(PlotView(), is_focused=False).changes(cells))
    assert sum(width for _, _, width in changes) < 60


@pytest.mark.parametrize(("glyphs", "signs"), [("braille", "↑✓◆"), ("block", "↑✓◊"), ("ascii", "^x*")])
def test_signs_are_in_every_glyph_set(glyphs: GlyphSet, signs: str) -> None:
    labels = " ".join(labels_of(*drawn(with_levels(), options=PlotOptions(glyphs=glyphs))))
    assert all(sign in labels for sign in signs)

"""The loss plot as rows of text, without an app: band, curves, points, marks, panes, cursor and labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tui.widgets.plot.curves import falling_losses, is_braille, view_of
from tui.formatting.loss_units import LossUnit
from tui.run.branching import OverlayCurve
from tui.run.marks import Mark, MarkKind
from tui.run.series.series import Series
from tui.run.view import RunView
from tui.terminal.capabilities import GlyphSet
from tui.widgets.plot.cell_grid import STYLE_NAMES, CellGrid, curve_dots
from tui.widgets.plot.glyphs import MARK_LETTERS, StyleName
from tui.widgets.plot.pane import PlotOptions
from tui.widgets.plot.picture import Picture
from tui.widgets.plot.scales import Limits, LossScale
from tui.widgets.plot.viewport import PlotView

WHOLE, BOTH = PlotView(), PlotView(is_wide=True)
PLAIN = PlotOptions()


def long_series(num_steps: int, spike_at: int) -> Series:
    """Return a flat, noisy curve with one spike."""
    series, noise = Series.empty(), np.random.default_rng(1)
    for first in range(1, num_steps + 1, 100_000):
        values = 2.0 + 0.05 * noise.standard_normal(100_000)
        if first <= spike_at < first + 100_000:
            values[spike_at - first] = 2.9
        series = series.extended(first, values.tolist())
    return series


def cells_of(
    view: RunView, plot_view: PlotView = WHOLE, options: PlotOptions = PLAIN, size: tuple[int, int] = (100, 20)
) -> tuple[CellGrid, Picture]:
    picture = Picture()
    picture.draw(view, plot_view, options, *size)
    return picture.with_labels(plot_view, is_focused=False), picture


def rows_of(
    view: RunView, plot_view: PlotView = WHOLE, options: PlotOptions = PLAIN, size: tuple[int, int] = (100, 20)
) -> list[str]:
    return cells_of(view, plot_view, options, size)[0].text()


def places(cells: CellGrid, style: StyleName) -> list[tuple[int, int]]:
    """Return row and column of the cells of a style."""
    rows, columns = np.nonzero(cells.styles == STYLE_NAMES.index(style))
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


@pytest.mark.parametrize(("size", "is_wide"), [((120, 40), True), ((80, 11), False), ((60, 6), False)])
def test_every_size_has_a_heading_a_curve_and_round_ticks(size: tuple[int, int], is_wide: bool) -> None:
    rows = rows_of(view_of(falling_losses(3000), 2.8, 2.6), PlotView(is_wide=is_wide), size=size)
    assert {len(row) for row in rows} == {size[0]}
    assert rows[0].startswith("─ bits")
    assert rows[-2].count("┴") >= (4 if is_wide else 2)
    assert any(is_braille(char) for row in rows[1:-2] for char in row)
    labels = [row[:6].strip() for row in rows[1:-2] if row[:6].strip()]
    assert labels
    assert [float(label) for label in labels] == sorted(map(float, labels), reverse=True)
    assert rows[-1].split()[0] == "0"


def test_a_single_spike_among_a_million_steps_is_visible_but_not_in_the_smoothed_curve() -> None:
    num_steps, spike_at = 1_000_000, 600_000
    view = RunView(train_losses=long_series(num_steps, spike_at))
    cells, picture = cells_of(view)
    pane = picture.panes["whole"]
    (peak,) = (place for place in places(cells, "peak") if place[0] > 0)
    assert peak == (1, pane.left + (pane.column_of(spike_at) or 0))
    assert "▲ peak 4.18" in cells.text()[0]
    assert np.nanmax(pane.smoothed) - np.nanmin(pane.smoothed) < 0.01


def test_evaluations_are_points_with_the_best_marked() -> None:
    text = "\n".join(rows_of(view_of(falling_losses(5000), 2.8, 2.6, 2.7)))
    assert "2.60 best ◆" in text
    assert text.count("●") == 2
    assert text.count("◆") == 1 + 1


def mark(step: int, kind: MarkKind) -> Mark:
    return Mark(step=step, kind=kind, label=f"{kind} at {step}")


def test_each_kind_of_mark_has_its_letter_on_the_axis() -> None:
    kinds = list(MARK_LETTERS)
    marks = tuple(mark(300 * number, kind) for number, kind in enumerate(kinds, 1))
    cells, picture = cells_of(replace(view_of(falling_losses(3000)), marks=marks))
    pane = picture.panes["whole"]
    for number, kind in enumerate(kinds, 1):
        column = pane.left + (pane.column_of(300 * number) or 0)
        assert cells.text()[-2][column] == MARK_LETTERS[kind]


def test_of_hundreds_of_marks_each_column_shows_the_most_important_and_their_number() -> None:
    marks = (*(mark(step, "temperature") for step in range(1, 3000, 5)), mark(1500, "learning rate"))
    view = replace(view_of(falling_losses(3000)), marks=marks)
    cells, picture = cells_of(view)
    pane = picture.panes["whole"]
    axis, below = cells.text()[-3:-1]
    column = pane.left + (pane.column_of(1500) or 0)
    assert axis[column] == "R"
    assert set(axis[10:column]) == {"T"}
    counts = {at: len(those) for at, those in pane.by_column(marks).items()}
    assert sum(counts.values()) == len(marks)
    assert [below[pane.left + at] for at in counts] == [str(count) if count < 10 else "+" for count in counts.values()]


def test_two_marks_in_a_column_are_stacked_and_in_a_low_plot_counted() -> None:
    marks = (mark(1500, "temperature"), mark(1501, "learning rate"), mark(700, "saved"))
    view = replace(view_of(falling_losses(3000)), marks=marks)
    cells, picture = cells_of(view)
    both, single = (picture.panes["whole"].left + (picture.panes["whole"].column_of(step) or 0) for step in (1500, 700))
    assert [row[both] for row in cells.text()[-3:-1]] == ["R", "T"]
    assert [row[single] for row in cells.text()[-3:-1]] == ["S", " "]
    low, picture = cells_of(view, size=(100, 9))
    assert low.text()[-2][picture.panes["whole"].left + (picture.panes["whole"].column_of(1500) or 0)] == "2"


def test_the_cursor_lists_all_marks_of_its_column_or_how_many_more_there_are() -> None:
    marks = (mark(1500, "temperature"), mark(1501, "learning rate"), mark(1502, "saved"))
    view = replace(view_of(falling_losses(3000)), marks=marks)
    rows = rows_of(view, PlotView(cursor=1500))
    assert "learning rate at 1501, saved at 1502, temperature at 1500" in rows[1]
    assert "learning rate at 1501, 2 more" in rows_of(view, PlotView(cursor=1500), size=(60, 12))[1]


def test_side_by_side_the_axis_of_the_whole_run_shows_where_the_recent_part_is() -> None:
    cells, picture = cells_of(view_of(falling_losses(5000)), BOTH, size=(120, 20))
    whole, recent = picture.panes["whole"], picture.panes["recent"]
    window = [column for row, column in places(cells, "window") if row == cells.height - 2]
    assert window[0] == whole.left + (whole.column_of(recent.steps.low) or 0)
    assert "latest 500 steps" in cells.text()[0]
    assert recent.steps == Limits(4500, 5000)


def test_the_recent_part_shows_single_steps_when_zoomed_in() -> None:
    losses = falling_losses(5000)
    view = PlotView("recent").zoomed(0.1, Limits(1, 5000))
    _, picture = cells_of(view_of(losses), view, size=(116, 20))
    pane = picture.panes["recent"]
    assert pane.train.count.max() == 1
    assert pane.train.low[pane.train.count > 0].tolist() == losses[int(pane.steps.low) - 1 :]


@pytest.mark.parametrize("unit", ["nats", "bits"])
def test_the_readout_shows_the_values_at_the_cursor(unit: LossUnit) -> None:
    view = replace(view_of(falling_losses(3000), 2.8, 2.6), marks=(mark(2000, "saved"),))
    row = rows_of(view, PlotView(cursor=2000), PlotOptions(LossScale(unit)), size=(150, 20))[0]
    pieces = [piece.strip() for piece in row.strip(" ─").split("─")]
    mean = float(pieces.pop(1).removeprefix("train ").removesuffix(" over 28 steps"))
    low, high = map(float, pieces.pop(1).removeprefix("⣿ ").split(" to "))
    val = "● 2.80 at 1,500" if unit == "bits" else "● 1.940 at 1,500"
    assert pieces == ["step 2,000 at 1:40", val, "lr 0.004"]
    assert low < mean < high
    assert mean == pytest.approx(1.7 / (0.693 if unit == "bits" else 1), rel=0.03)


def test_the_cursor_is_a_line_in_each_pane_that_shows_its_step() -> None:
    view = view_of(falling_losses(5000))
    for step, num_lines in ((4800, 2), (1000, 1)):
        cells, picture = cells_of(view, replace(BOTH, cursor=step), size=(120, 20))
        columns = {column for _, column in places(cells, "cursor")}
        shown = {pane.left + column for pane in picture.panes.values() if (column := pane.column_of(step)) is not None}
        assert columns == shown
        assert len(columns) == num_lines
        assert len(places(cells, "cursor")) == num_lines * 17


def test_an_overlay_is_drawn_below_the_curve_and_named() -> None:
    view = view_of(falling_losses(3000))
    other = Series.empty().extended(1, [2.2] * 2000)
    cells, picture = cells_of(view, options=PlotOptions(overlay=OverlayCurve("the [b]other\x1b run", other)))
    assert "⠤⠤ the [b]otherrun ─" in cells.text()[0]
    columns = [column for row, column in places(cells, "overlay") if row > 0]
    assert max(columns) == picture.panes["whole"].left + (picture.panes["whole"].column_of(2000) or 0)
    alone, _ = cells_of(view)
    assert set(places(alone, "line")) - {(0, column) for column in range(100)} <= set(places(cells, "line"))


@pytest.mark.parametrize("glyphs", ["block", "ascii"])
def test_the_plot_uses_only_glyphs_of_the_set(glyphs: GlyphSet) -> None:
    view = replace(view_of(falling_losses(5000, spike_at=3000), 2.8, 2.6), marks=(mark(2000, "saved"),))
    for plot_view in (BOTH, replace(BOTH, cursor=2000), PlotView("recent")):
        text = "\n".join(rows_of(view, plot_view, PlotOptions(glyphs=glyphs), size=(120, 20)))
        assert not any(is_braille(char) for char in text)
        assert text.isascii() == (glyphs == "ascii")
    if glyphs == "ascii":
        whole = "\n".join(rows_of(view, options=PlotOptions(glyphs=glyphs))[1:])
        assert (whole.count("o"), whole.count("*"), whole.count("^") > 0) == (1, 2, True)
        assert min(whole.count("="), whole.count(":")) > 60


def test_log_and_unit_change_the_ticks_and_the_legend() -> None:
    view = view_of(falling_losses(3000))
    linear, log = rows_of(view), rows_of(view, options=PlotOptions(LossScale("nats", is_log=True)))
    bits = rows_of(view, options=PlotOptions(LossScale("bits")))
    assert [row[:6] for row in linear] != [row[:6] for row in log] != [row[:6] for row in bits]
    assert "nats per character, log" in log[0]
    assert "bits per character" in bits[0]


def test_a_curve_has_no_holes_however_steep_it_is() -> None:
    values = np.array([np.nan, 0.0, 9.9, 5.0, np.nan, 0.0, np.nan])
    dots = curve_dots(values, values, Limits(0, 10), 10)
    assert dots.sum(axis=0).tolist() == [0, 1, 9, 5, 2, 2, 0]
    assert np.flatnonzero(dots[:, 2]).tolist() == list(range(9))


def test_changed_cells_are_exact_and_wide_characters_change_whole() -> None:
    before = CellGrid.blank(60, 2)
    after = before.copy()
    assert list(after.changes(before)) == []
    after.write(3, 0, "x", "tick")
    after.write(40, 0, "日", "tick")
    after.write(6, 1, "", "tick")
    assert list(after.changes(before)) == [(3, 0, 1), (40, 0, 2)]
    again = after.copy()
    again.write(41, 0, "y", "tick")
    assert list(again.changes(after)) == [(40, 0, 2)]


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("glyphs", ["braille", "block", "ascii"])
def test_at_every_height_labels_are_evenly_spaced_on_grid_lines(glyphs: GlyphSet, is_log: bool) -> None:
    view = view_of(falling_losses(1000), 2.8, 2.6)
    for height in range(6, 49):
        cells, picture = cells_of(view, options=PlotOptions(LossScale(is_log=is_log), glyphs), size=(90, height))
        (pane,) = picture.panes.values()
        labelled = [y for y, row in enumerate(cells.text()[1 : pane.height + 1]) if row[: pane.left].strip()]
        assert labelled == [row for row, _ in pane.axis.ticks]
        gaps = set(np.diff(labelled).tolist())
        assert len(gaps) <= 1
        assert all(gap >= 2 for gap in gaps)
        grid = {row - 1 for row, _ in places(cells, "grid")}
        assert grid <= set(labelled)
        assert len(grid) >= len(labelled) - 1  # one row may have the level of the best validation


def test_the_grid_is_below_everything_and_hidden_by_dots() -> None:
    view = view_of(falling_losses(1000), 2.8, 2.6)
    cells, picture = cells_of(view)
    (pane,) = picture.panes.values()
    for row, column in places(cells, "grid"):
        assert chr(cells.chars[row, column]) == "·"
        assert (column - pane.left) % 4 == 0
    under = {(row + 1, pane.left + x) for row, _ in pane.axis.ticks for x in range(0, pane.width, 4)}
    drawn_over = under - set(places(cells, "grid"))
    assert {STYLE_NAMES[cells.styles[place]] for place in drawn_over} <= {"band", "line", "validation", "best_line"}


def test_the_curve_is_connected_and_two_dots_thick_in_a_tall_plot() -> None:
    view = view_of(falling_losses(1000))
    for height, thickness in ((10, 1), (30, 2)):
        cells, picture = cells_of(view, size=(100, height))
        (pane,) = picture.panes.values()
        is_line = cells.styles[1 : pane.height + 1] == STYLE_NAMES.index("line")
        chars = np.where(is_line, cells.chars[1 : pane.height + 1], 0)[:, pane.left : pane.right]
        last = pane.column_of(1000) or 0
        assert (chars[:, :last] > 0).any(axis=0).all()
        num_dots = [
            sum((char - 0x2800).bit_count() for char in column if char)
            for column in chars[:, last - 30 : last].T.tolist()
        ]
        assert min(num_dots) >= 2 * thickness


def test_while_the_loss_falls_in_the_first_steps_the_y_axis_hardly_moves() -> None:
    losses = falling_losses(100)
    picture, axes = Picture(), set()
    for end in range(1, 100):
        picture.draw(view_of(losses[:end]), WHOLE, PLAIN, 82, 20)
        axes.add(picture.panes["whole"].axis)
        assert picture.panes["whole"].peak is None
    assert len(axes) <= 2  # the first losses may be higher than the very first


@pytest.mark.parametrize(("glyphs", "point"), [("block", "•"), ("ascii", "o")])
def test_many_evaluations_are_a_curve_below_that_of_the_run_and_of_its_own_characters(
    glyphs: GlyphSet, point: str
) -> None:
    losses = falling_losses(3000)
    cells, picture = cells_of(view_of(losses, *[4 - 0.02 * n for n in range(60)]), options=PlotOptions(glyphs=glyphs))
    (pane,) = picture.panes.values()
    curve = places(cells, "validation")
    assert len({column for _, column in curve}) > 0.7 * pane.width
    assert {chr(cells.chars[place]) for place in curve} == {point}
    without, _ = cells_of(view_of(losses), options=PlotOptions(LossScale(), glyphs))
    assert len({column for _, column in places(cells, "line")}) == len({x for _, x in places(without, "line")})

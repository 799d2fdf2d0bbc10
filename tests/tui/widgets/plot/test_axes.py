"""What a pane shows where: ticks and labels of its axes, the losses and steps in view, and the cells of a curve."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from tui.widgets.plot.axes import Limits, loss_axis, loss_range, step_limits
from tui.widgets.plot.cells import CellGrid, curve_dots
from tui.widgets.plot.pane import PlotOptions
from tui.widgets.plot.viewport import MIN_SPAN, Viewport, Window


@given(st.floats(0.001, 20), st.floats(1.01, 1000), st.integers(3, 45), st.booleans())
def test_ticks_are_an_even_number_of_rows_apart_and_each_label_is_a_short_number_that_lies_in_its_row(
    low: float, factor: float, num_rows: int, is_log: bool
) -> None:
    high = max(low * factor, low + 0.01)
    first, last = (math.log10(low), math.log10(high)) if is_log else (low, high)
    axis = loss_axis(first, last, num_rows, None, is_log=is_log)
    rows = [row for row, _ in axis.ticks]
    assert len(rows) >= (2 if num_rows >= 5 else 1)
    assert set(np.diff(rows)) <= {axis.rows_per_tick}
    assert axis.rows_per_tick >= 2
    assert 0 <= rows[0] < axis.rows_per_tick
    assert num_rows - axis.rows_per_tick <= rows[-1] < num_rows
    assert axis.fits(first + 1e-9, last - 1e-9)
    assert num_rows < 6 or axis.limits.span <= 2 * (last - first), "most of the height is for the curve"
    assert len({label for _, label in axis.ticks}) == len(rows)
    for row, label in axis.ticks:
        position = math.log10(float(label)) if is_log else float(label)
        assert axis.row_of(position) == row
        assert position >= 0 or is_log
        assert len(label) <= 6 or num_rows > 20 or factor < 1.1


def test_labels_are_round_and_short_at_every_magnitude(snapshot: SnapshotAssertion) -> None:
    lines = []
    for low, high, num_rows in ((2.0, 6.9, 6), (2.0, 6.9, 9), (1.9, 2.2, 17), (0.0, 3.0, 14)):
        labels = [label for _, label in loss_axis(low, high, num_rows, None, is_log=False).ticks]
        lines.append(f"{low:g} to {high:g} in {num_rows} rows: {' '.join(labels)}")
    for low, high in ((0.009, 3.4), (0.00008, 3.4), (1.0, 4.0)):
        labels = [label for _, label in loss_axis(math.log10(low), math.log10(high), 17, None, is_log=True).ticks]
        lines.append(f"{low:g} to {high:g} on a log scale: {' '.join(labels)}")
    assert "\n".join(lines) == snapshot


def test_the_axis_stays_for_lower_losses_and_moves_at_once_with_another_height_or_scale() -> None:
    before = loss_axis(2.0, 7.0, 18, None, is_log=False)
    assert loss_axis(2.1, 6.0, 18, before, is_log=False) is before
    assert loss_axis(2.1, 6.0, 12, before, is_log=False).num_rows == 12
    assert loss_axis(0.3, 0.8, 18, before, is_log=True).is_log


@given(st.integers(1, 10_000_000), st.integers(0, 5_000_000))
def test_the_step_axis_contains_the_whole_run_and_moves_rarely(first_step: int, num_steps: int) -> None:
    last_step = first_step + num_steps
    limits = step_limits(first_step, last_step)
    assert limits.low < first_step
    assert limits.high >= last_step
    assert num_steps < 100 or (last_step - limits.low) / limits.span > 0.7
    nearly = step_limits(first_step, int(limits.high) - 1 if limits.span > 100 else last_step)
    assert nearly.low == limits.low


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=200), st.lists(st.floats(0.01, 100), max_size=3))
def test_all_but_a_few_columns_and_every_evaluation_are_shown(highs: list[float], others: list[float]) -> None:
    high = np.array(highs)
    shown = loss_range(high * 0.9, high, np.array(others))
    assert shown.low <= min([*(high * 0.9), *others])
    assert shown.high >= max([0.0, *others])
    assert (high > shown.high).sum() <= 0.03 * len(high) + 1
    if len(high) < 30:
        assert shown.high >= high.max()


@pytest.mark.parametrize(("target", "low"), [(4.0, 4.0), (3.0, 3.0), (2.9, 5.0), (5.5, 5.0)])
def test_the_level_below_a_curve_is_shown_unless_it_is_far(target: float, low: float) -> None:
    assert loss_range(np.array([5.0]), np.array([7.0]), np.array([]), target) == Limits(low, 7.0)


def test_a_loss_of_zero_is_on_a_log_axis() -> None:
    heights = PlotOptions(is_log=True).heights
    shown = loss_range(heights(np.array([0.0])), heights(np.array([1.0])), np.array([]))
    assert math.isfinite(shown.low)
    assert shown.low < shown.high


STEPS = st.integers(1, 5_000_000)
CHANGES = st.lists(
    st.one_of(
        st.builds(lambda factor, at: lambda view: view.zoomed(factor, at), st.floats(0.1, 10), STEPS),
        st.builds(lambda factor: lambda view: view.zoomed(factor), st.floats(0.1, 10)),
        st.builds(lambda steps: lambda view: view.panned(steps), st.integers(-(10**7), 10**7)),
        st.builds(
            lambda count: lambda view: view.with_cursor((view.cursor or 0) + count), st.sampled_from([-10, -1, 1, 10])
        ),
        st.builds(lambda step: lambda view: view.with_cursor(step), st.none() | STEPS),
        st.just(lambda view: view.next_mode()),
        st.just(lambda view: view.following()),
    ),
    max_size=12,
)


@given(st.integers(1, 1000), st.integers(0, 5_000_000), CHANGES, st.booleans())
def test_after_any_actions_each_pane_shows_steps_of_the_run(
    first: int, num_more: int, changes: list[Callable[[Viewport], Viewport]], is_wide: bool
) -> None:
    run = Limits(first, first + num_more)
    whole = step_limits(first, first + num_more)
    view = Viewport(run, is_wide=is_wide)
    for change in changes:
        view = change(view)
    for pane in view.panes:
        limits = view.limits(pane)
        assert whole.low <= limits.low <= run.high
        assert MIN_SPAN <= limits.span <= whole.span
        assert limits.high <= whole.high + limits.span
    if view.cursor is not None:
        assert run.low <= view.cursor <= run.high


@given(st.integers(1, 5_000_000), st.integers(1, 5_000_000), st.integers(20, 100_000))
def test_a_run_that_goes_back_stays_in_view(last: int, first: int, span: int) -> None:
    limits = Viewport(Limits(1, last), whole=Window(span, first)).limits("whole")
    assert limits.low <= last


def test_a_curve_has_no_holes_however_steep_it_is() -> None:
    values, no_gap = np.array([np.nan, 0.0, 9.9, 5.0, np.nan, 0.0, np.nan]), np.zeros(7, bool)
    dots = curve_dots(values, values, no_gap, Limits(0, 10), 10)
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

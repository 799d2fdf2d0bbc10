"""The axes: ticks, labels, and the losses and steps in view."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from tests.tui.widgets.plot.test_picture import falling_losses
from tui.widgets.plot.axes import Limits, LossAxis, loss_axis, loss_range, step_limits
from tui.widgets.plot.pane import PlotOptions


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


def test_the_axis_moves_rarely_while_a_loss_falls_and_at_once_with_another_height_or_scale() -> None:
    axis: LossAxis | None = None
    num_moves, losses = 0, falling_losses(3000)
    for end in range(10, len(losses), 10):
        shown = losses[:end]
        before, axis = axis, loss_axis(min(shown), max(shown), 18, axis, is_log=False)
        num_moves += axis != before
    assert num_moves <= 8
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

"""The x axis of the plot, and which losses its y axis shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.plot.scales import Limits, LossScale, loss_range, nice_ticks, step_limits


@given(st.integers(1, 10_000_000), st.integers(0, 5_000_000))
def test_the_step_axis_contains_the_whole_run_and_moves_rarely(first_step: int, num_steps: int) -> None:
    last_step = first_step + num_steps
    limits = step_limits(first_step, last_step)
    assert limits.low < first_step
    assert limits.high >= last_step
    assert num_steps < 100 or (last_step - limits.low) / limits.span > 0.7
    nearly = step_limits(first_step, int(limits.high) - 1 if limits.span > 100 else last_step)
    assert nearly.low == limits.low


LOSSES = st.lists(st.floats(0.01, 100), min_size=1, max_size=200)


@given(LOSSES, st.lists(st.floats(0.01, 100), max_size=3))
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


def test_ticks_are_inside_and_distinct() -> None:
    assert nice_ticks(Limits(0, 5600), 6, min_interval=1) == [0, 1000, 2000, 3000, 4000, 5000]
    assert nice_ticks(Limits(0, 3), 10, min_interval=1) == [0, 1, 2, 3]
    assert nice_ticks(Limits(1.3, 2.9), 7) == [1.5, 1.75, 2.0, 2.25, 2.5, 2.75]


def test_a_loss_of_zero_is_on_a_log_axis() -> None:
    heights = LossScale(is_log=True).heights
    shown = loss_range(heights(np.array([0.0])), heights(np.array([1.0])), np.array([]))
    assert math.isfinite(shown.low)
    assert shown.low < shown.high

"""Limits and ticks of the plot's axes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.plot.scales import (
    Limits,
    LossScale,
    loss_limits,
    nice_ticks,
    step_limits,
    tick_decimals,
)


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
def test_the_loss_axis_contains_all_but_a_few_columns_and_every_evaluation(
    highs: list[float], others: list[float]
) -> None:
    high = np.array(highs)
    limits = loss_limits(high * 0.9, high, np.array(others), None)
    assert limits.low <= min([*(high * 0.9), *others])
    assert limits.high >= max([0.0, *others])
    assert (high > limits.high).sum() <= 0.03 * len(high) + 1
    if len(high) < 30:
        assert limits.high >= high.max()


def test_ticks_are_inside_and_distinct() -> None:
    assert nice_ticks(Limits(0, 5600), 6, min_interval=1) == [0, 1000, 2000, 3000, 4000, 5000]
    assert nice_ticks(Limits(0, 3), 10, min_interval=1) == [0, 1, 2, 3]
    ticks = nice_ticks(Limits(1.3, 2.9), 7)
    assert ticks == [1.5, 1.75, 2.0, 2.25, 2.5, 2.75]
    assert (tick_decimals(ticks), tick_decimals([1.0, 2.0]), tick_decimals([0.00001])) == (2, 0, 4)


@given(st.floats(0.001, 50), st.floats(1.02, 1000), st.integers(4, 20))
def test_ticks_of_a_log_axis_lie_in_it_and_apart(low: float, factor: float, max_ticks: int) -> None:
    limits = Limits(math.log10(low), math.log10(low * factor))
    places = [place for place, _ in LossScale("nats", is_log=True).ticks(limits, max_ticks)]
    assert places
    assert limits.low - 1e-6 <= places[0]
    assert places[-1] <= limits.high + 1e-6
    gaps = np.diff(places)
    assert (gaps >= limits.span / (max_ticks + 1) - 1e-9).all()


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.009, 3.4, ["0.01", "0.03", "0.1", "0.3", "1", "3"]),
        (0.00008, 3.4, ["1e-4", "0.001", "0.01", "0.1", "1"]),
        (1.0, 4.0, ["1.0", "1.5", "2.0", "3.0"]),
    ],
)
def test_labels_of_a_log_axis_are_short_at_every_magnitude(low: float, high: float, labels: list[str]) -> None:
    limits = Limits(math.log10(low), math.log10(high))
    assert [label for _, label in LossScale("nats", is_log=True).ticks(limits, 10)] == labels


def test_a_loss_of_zero_is_on_a_log_axis() -> None:
    limits = LossScale("bits", is_log=True).limits(np.array([0.0]), np.array([1.0]), np.array([]), None)
    assert math.isfinite(limits.low)
    assert limits.low < limits.high

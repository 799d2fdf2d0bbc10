"""The y axis: ticks an even number of rows apart, at every height and for every range; limits that move rarely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.widgets.plot.curves import falling_losses
from tui.widgets.plot.loss_axis import LossAxis, loss_axis

HEIGHTS = st.integers(3, 45)
LOWS = st.floats(0.001, 20)
FACTORS = st.floats(1.01, 1000)


def axis_of(low: float, factor: float, num_rows: int, *, is_log: bool) -> tuple[LossAxis, float, float]:
    """Return an axis, and the positions that it has to contain."""
    high = max(low * factor, low + 0.01)
    ends = (math.log10(low), math.log10(high)) if is_log else (low, high)
    return loss_axis(*ends, num_rows, None, is_log=is_log), *ends


@given(LOWS, FACTORS, HEIGHTS, st.booleans())
def test_ticks_are_an_even_number_of_rows_apart_and_never_touch(
    low: float, factor: float, num_rows: int, is_log: bool
) -> None:
    axis, low, high = axis_of(low, factor, num_rows, is_log=is_log)
    rows = [row for row, _ in axis.ticks]
    assert len(rows) >= (2 if num_rows >= 5 else 1)
    assert set(np.diff(rows)) <= {axis.rows_per_tick}
    assert axis.rows_per_tick >= 2
    assert 0 <= rows[0] < axis.rows_per_tick
    assert num_rows - axis.rows_per_tick <= rows[-1] < num_rows
    assert axis.fits(low + 1e-9, high - 1e-9)


@given(LOWS, FACTORS, HEIGHTS, st.booleans())
def test_a_label_is_a_short_number_that_lies_in_the_row_that_it_labels(
    low: float, factor: float, num_rows: int, is_log: bool
) -> None:
    axis, _, _ = axis_of(low, factor, num_rows, is_log=is_log)
    labels = [label for _, label in axis.ticks]
    assert len(set(labels)) == len(labels)
    for row, label in axis.ticks:
        position = math.log10(float(label)) if is_log else float(label)
        assert axis.row_of(position) == row
        assert position >= 0 or is_log
        assert len(label) <= 6 or num_rows > 20 or factor < 1.1


@given(LOWS, FACTORS, st.integers(6, 45), st.booleans())
def test_most_of_the_height_is_for_the_curve(low: float, factor: float, num_rows: int, is_log: bool) -> None:
    axis, low, high = axis_of(low, factor, num_rows, is_log=is_log)
    assert axis.limits.span <= 2 * (high - low)


@pytest.mark.parametrize(
    ("low", "high", "num_rows", "labels"),
    [
        (2.0, 6.9, 6, ["6", "4", "2"]),
        (2.0, 6.9, 9, ["6", "4", "2"]),
        (1.9, 2.2, 17, ["2.2", "2.1", "2.0", "1.9"]),
        (0.0, 3.0, 14, ["3", "2", "1", "0"]),
    ],
)
def test_labels_are_round(low: float, high: float, num_rows: int, labels: list[str]) -> None:
    assert [label for _, label in loss_axis(low, high, num_rows, None, is_log=False).ticks] == labels


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.009, 3.4, ["3", "1", "0.3", "0.1", "0.03", "0.01"]),
        (0.00008, 3.4, ["1", "0.1", "0.01", "0.001", "1e-4"]),
        (1.0, 4.0, ["4", "2.5", "1.6", "1"]),
    ],
)
def test_labels_of_a_log_axis_are_short_at_every_magnitude(low: float, high: float, labels: list[str]) -> None:
    axis = loss_axis(math.log10(low), math.log10(high), 17, None, is_log=True)
    assert [label for _, label in axis.ticks] == labels


def test_the_axis_moves_rarely_while_a_loss_falls() -> None:
    axis: LossAxis | None = None
    num_moves, losses = 0, falling_losses(3000)
    for end in range(10, len(losses), 10):
        shown = losses[:end]
        before, axis = axis, loss_axis(min(shown), max(shown), 18, axis, is_log=False)
        num_moves += axis != before
    assert num_moves <= 8


def test_another_height_or_scale_has_another_axis() -> None:
    before = loss_axis(2.0, 7.0, 18, None, is_log=False)
    assert loss_axis(2.1, 6.0, 18, before, is_log=False) is before
    assert loss_axis(2.1, 6.0, 12, before, is_log=False).num_rows == 12
    assert loss_axis(0.3, 0.8, 18, before, is_log=True).is_log

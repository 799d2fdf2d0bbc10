"""The series of a curve: bounded, immutable, and no spike lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.run import series as series_module
from tui.run.series import Buckets, Columns, Ints, Series

VALUES = st.floats(min_value=-100, max_value=100, allow_nan=False, width=32)
CHUNKS = st.lists(st.tuples(st.integers(0, 5), st.lists(VALUES, min_size=0, max_size=40)), min_size=1, max_size=12)


@contextmanager
def small_bounds() -> Iterator[None]:
    with patch.object(series_module, "MAX_BUCKETS", 8), patch.object(series_module, "WINDOW_LENGTH", 16):
        yield


def series_of(chunks: list[tuple[int, list[float]]]) -> tuple[Series, dict[int, float]]:
    """Return the series of chunks, each after a gap of so many steps, and its values by step."""
    by_step: dict[int, float] = {}
    series, step = Series.empty(), 1
    for gap, values in chunks:
        step += gap
        series = series.extended(step, values)
        by_step |= dict(enumerate(values, step))
        step += len(values)
    return series, by_step


def whole(series: Series, num_columns: int) -> Columns:
    return series.columns(series.first_step, series.last_step, num_columns)


@given(CHUNKS, st.integers(1, 50))
def test_every_value_counts_once_in_some_column_and_no_spike_is_lost(
    chunks: list[tuple[int, list[float]]], num_columns: int
) -> None:
    with small_bounds():
        series, by_step = series_of(chunks)
        columns = whole(series, num_columns)
        with_a_gap = whole(series.extended(series.last_step + 1000, [0.0]), 10)
    assert len(series) == len(by_step) == columns.count.sum()
    if by_step:
        assert np.nanmax(columns.high) == max(by_step.values())
        assert np.nanmin(columns.low) == min(by_step.values())
    filled = columns.count > 0
    assert not (columns.is_gap & filled).any()
    assert not by_step or with_a_gap.is_gap.sum() >= 5
    total = (columns.mean[filled] * columns.count[filled]).sum()
    assert total == pytest.approx(sum(by_step.values()), abs=1e-3)
    assert (columns.low[filled] <= columns.high[filled]).all()


@given(CHUNKS, st.integers(0, 200), st.lists(VALUES, max_size=200))
def test_a_truncated_series_equals_one_that_never_had_the_later_values_and_can_be_extended(
    chunks: list[tuple[int, list[float]]], last_step: int, added: list[float]
) -> None:
    """But for the one bucket that the cut goes through, and for a stride that stays as coarse as it was."""
    with small_bounds():
        series, by_step = series_of(chunks)
        cut = series.truncated(last_step)
        longer = cut.extended(last_step + 1, added)
        assert len(longer) == len(cut) + len(added)
        if added:
            assert longer.last == pytest.approx(added[-1])
            assert np.nanmax(whole(longer, 20).high) >= max(added)
        kept = {step: value for step, value in by_step.items() if step <= last_step}
        if not kept:
            assert len(cut) == 0
            return
        assert cut.first_step == series.first_step
        assert cut.last_step <= last_step
        whole_buckets_end = last_step // series.stride * series.stride
        for step in range(cut.first_step, whole_buckets_end, series.stride):
            bucket_start = step // series.stride * series.stride
            inside = [kept[s] for s in range(bucket_start, bucket_start + series.stride) if s in kept]
            column = cut.columns(bucket_start, bucket_start + series.stride - 1, 1)
            if inside:
                assert column.high[0] >= max(inside)
                assert column.low[0] <= min(inside)


def test_a_repeated_step_replaces_the_earlier_value() -> None:
    series = Series.empty().extended(1, [5.0, 4.0, 9.0, 9.0]).extended(3, [3.0])
    assert (len(series), series.last, series.last_step) == (3, 3.0, 3)
    assert whole(series, 1).high[0] == 5.0


def test_the_value_near_a_step_is_that_of_the_step_or_the_nearest_report() -> None:
    series = Series.empty().extended(10, [0.5]).extended(20, [0.25]).extended(30, [0.125])
    assert [series.near(step) for step in (1, 10, 14, 16, 30, 99)] == [0.5, 0.5, 0.5, 0.25, 0.125, 0.125]
    assert Series.empty().near(5) is None


def buckets_of(by_step: dict[int, float], width: int) -> tuple[Buckets, Ints]:
    """Return values as buckets of aligned steps, and the last step of each."""
    groups = [list(group) for _, group in groupby(by_step, key=lambda step: step // width)]
    values = [[by_step[step] for step in group] for group in groups]
    buckets = Buckets(
        np.array([group[0] for group in groups], np.int64),
        np.array([min(each) for each in values], np.float64),
        np.array([max(each) for each in values], np.float64),
        np.array([sum(each) for each in values], np.float64),
        np.array([len(each) for each in values], np.int64),
    )
    return buckets, np.array([group[-1] for group in groups], np.int64)


@given(
    st.lists(VALUES, min_size=1, max_size=200),
    st.sampled_from([1, 2, 4, 8, 16, 32]),
    st.lists(VALUES, max_size=60),
    st.integers(0, 40),
)
def test_a_series_of_buckets_equals_that_of_their_values_once_its_stride_is_as_wide(
    old: list[float], width: int, recent: list[float], first: int
) -> None:
    by_step = dict(enumerate(old, first))
    with small_bounds():
        after = Series.empty().extended_by_buckets(*buckets_of(by_step, width)).extended(first + len(old), recent)
        expected = Series.empty().extended(first, [*old, *recent])
        assert (after.first_step, after.last_step, len(after)) == (first, expected.last_step, len(expected))
        assert [*after.singles(0)[1]] == recent[-16:]
        columns = whole(after, 7)
        stride = max(after.stride, expected.stride, width)
        of_buckets, of_values = (
            each._buckets.merged_by(each._buckets.numbers * each.stride // stride) for each in (after, expected)
        )
        for name in ("numbers", "count", "low", "high"):
            assert [*getattr(of_buckets, name)] == [*getattr(of_values, name)]
        assert of_buckets.total == pytest.approx(of_values.total, abs=1e-9)
    assert np.nanmax(columns.high) == max([*old, *recent])
    assert columns.count.sum() == len(old) + len(recent)


def test_buckets_replace_the_values_of_their_steps() -> None:
    buckets, lasts = buckets_of({4: 1.0, 5: 2.0, 6: 3.0}, 4)
    series = Series.empty().extended(1, [9.0] * 20).extended_by_buckets(buckets, lasts)
    assert (len(series), series.last_step, series.last, series.trimmed_mean_from(0)) == (6, 6, 2.0, 2.0)
    assert series.near(5) == 2.0
    assert series.extended(7, [5.0]).last == 5.0

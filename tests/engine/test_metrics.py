"""The stopwatch stands still while paused, and the rate is that of the last few seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics import WINDOW_SECONDS, Stopwatch, Throughput
from tests.fakes import FakeClock


@given(st.lists(st.tuples(st.sampled_from(["pause", "resume"]), st.integers(0, 100))))
def test_it_counts_exactly_the_time_between_the_pauses(script: list[tuple[str, int]]) -> None:
    clock = FakeClock()
    stopwatch = Stopwatch(clock)
    is_paused, expected, last = False, 0, 0.0
    for call, seconds in script:
        getattr(stopwatch, call)()
        is_paused = call == "pause"
        clock.advance(seconds)
        expected += 0 if is_paused else seconds
        assert stopwatch.seconds == expected >= last
        last = stopwatch.seconds


def test_a_steady_rate_is_told_as_it_is() -> None:
    throughput = Throughput()
    rates = [throughput.update(index / 10, 500 * index) for index in range(300)]
    assert rates[1:] == pytest.approx([5000] * 299)


def test_what_was_longer_ago_than_the_window_does_not_count() -> None:
    throughput = Throughput()
    for index in range(100):
        throughput.update(index / 10, 1000 * index)
    rates = [throughput.update(10 + index / 10, 100_000 + 10 * index) for index in range(100)]
    assert rates[20] > rates[40] > rates[60] == pytest.approx(100) == rates[99]


def test_steps_that_take_longer_than_the_window_have_a_rate_too() -> None:
    throughput = Throughput()
    assert [throughput.update(index * 4 * WINDOW_SECONDS, 1000 * index) for index in range(4)][1:] == [50, 50, 50]


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 10_000)), min_size=1))
def test_a_rate_is_finite_and_never_negative(steps: list[tuple[float, int]]) -> None:
    throughput = Throughput()
    seconds, chars = 0.0, 0
    for duration, num_chars in steps:
        seconds, chars = seconds + duration, chars + num_chars
        assert 0 <= throughput.update(seconds, chars) < float("inf")

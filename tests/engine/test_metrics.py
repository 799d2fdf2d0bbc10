"""The stopwatch stands still in pauses and sleep, the rate is that of the last seconds; the time of day is not used."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as e
from engine.commands import Command
from engine.events import Event
from engine.metrics import GAP_SECONDS, WINDOW_SECONDS, ProcessStops, SteadyClock, Stopwatch, Throughput
from tests.engine.helpers import losses, of_type, run_session, tiny_config
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


# Clocks that jump, and laptops that sleep -----------------------------------------------------------------------------


EIGHT_HOURS = 8 * 3600.0


def test_a_gap_in_which_the_process_did_not_run_is_no_time() -> None:
    clock, cpu = FakeClock(100.0), FakeClock()
    steady = SteadyClock(clock, cpu)
    began = steady()
    clock.advance(2.0)
    clock.advance(EIGHT_HOURS)
    assert steady() - began < 1.0
    clock.advance(3.0)
    assert steady() - began == 3.0


def test_a_long_step_that_computes_is_time() -> None:
    clock, cpu = FakeClock(), FakeClock()
    steady = SteadyClock(clock, cpu)
    began = steady()
    for _ in range(3):
        clock.advance(600.0)
        cpu.advance(590.0)
        steady()
    assert steady() - began == 1800.0


def test_what_was_computed_long_before_a_gap_does_not_make_it_time() -> None:
    clock, cpu = FakeClock(), FakeClock()
    steady = SteadyClock(clock, cpu)
    for _ in range(1000):
        clock.advance(0.9)
        cpu.advance(0.9)
        steady()
    clock.advance(GAP_SECONDS)
    before = steady()
    clock.advance(EIGHT_HOURS)
    assert steady() - before == pytest.approx(0.0, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 100))))
def test_it_never_goes_back(script: list[tuple[float, float]]) -> None:
    clock, cpu = FakeClock(), FakeClock()
    stopwatch = Stopwatch(SteadyClock(clock, cpu))
    last = 0.0
    for seconds, cpu_seconds in script:
        clock.advance(seconds)
        cpu.advance(cpu_seconds)
        assert stopwatch.seconds >= last - 1e-6
        last = stopwatch.seconds


def test_a_laptop_that_slept_has_trained_no_longer_for_it(corpus: Path) -> None:
    clock = FakeClock()

    def sleeps_in_step_five(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(EIGHT_HOURS if event.step == 5 else 0.25)
        return ()

    told = run_session(tiny_config(corpus, max_seconds=2.0), None, sleeps_in_step_five, clock, times_seconds=0.0)

    assert told[-1].elapsed_seconds == 2.0
    assert list(losses(told)) == list(range(1, 10))  # one step more: the sleep was in the place of a quarter second
    assert sum(event.seconds for event in of_type(told, e.StepTimes)) <= 2.0
    rates = [event.chars_per_second for event in of_type(told, e.StepsFinished)]
    assert min(rates[6:]) > 0.5 * max(rates)


def test_the_time_of_day_changes_nothing_of_the_training(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = run_session(tiny_config(corpus, run_name="calm", sample_every=3, eval_every=3))
    wall = FakeClock(1e9)
    monkeypatch.setattr(time, "time", wall)

    def jumps(event: Event) -> Iterable[Command]:
        wall.advance(1e8 if event.step % 2 else -1.5e8)
        return ()

    told = run_session(tiny_config(corpus, sample_every=3, eval_every=3), on_event=jumps)

    assert losses(told) == losses(calm)
    assert [event.text for event in of_type(told, e.TweetSampled)] == [
        event.text for event in of_type(calm, e.TweetSampled)
    ]


def test_a_stop_that_was_told_counts_for_nothing_however_short() -> None:
    clock = FakeClock(100.0)
    stops = ProcessStops(clock)
    stops.begin()
    clock.advance(50.0)
    stops.end()
    steady = SteadyClock(clock, FakeClock(), stops)
    began = steady()
    clock.advance(2.0)
    stops.begin()
    clock.advance(5.0)
    assert steady() - began == 2.0
    stops.end()
    clock.advance(1.0)
    assert steady() - began == 3.0

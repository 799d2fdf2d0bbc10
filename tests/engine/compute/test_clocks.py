"""Clocks exclude pauses and suspensions, the throughput covers the last seconds, each second counts for one phase."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.clocks import WINDOW_SECONDS, ProcessStops, SteadyClock, Stopwatch, Throughput
from engine.compute.step_timer import PHASES, Phase, PhaseTimer
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.engine.helpers import TickingClock, losses, of_type, only, run_session, tiny_config
from tests.fakes import FakeClock


def test_the_throughput_ignores_steps_before_its_window_but_has_at_least_one_of_them() -> None:
    throughput, long_steps = Throughput(), Throughput()
    for index in range(100):
        throughput.update(index / 10, 1000 * index)
    rates = [throughput.update(10 + index / 10, 100_000 + 10 * index) for index in range(100)]
    assert rates[20] > rates[40] > rates[60] == pytest.approx(100) == rates[99]
    assert [long_steps.update(index * 4 * WINDOW_SECONDS, 1000 * index) for index in range(4)][1:] == [50, 50, 50]


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 10_000)), min_size=1))
def test_the_throughput_is_finite_and_never_negative(steps: list[tuple[float, int]]) -> None:
    throughput = Throughput()
    seconds, chars = 0.0, 0
    for duration, num_chars in steps:
        seconds, chars = seconds + duration, chars + num_chars
        assert 0 <= throughput.update(seconds, chars) < float("inf")


# Clocks that jump, suspended laptops ----------------------------------------------------------------------------------


def test_a_long_step_that_uses_the_cpu_counts_and_a_recorded_stop_never_does_however_short() -> None:
    clock, cpu = FakeClock(100.0), FakeClock()
    stops = ProcessStops(clock)
    stops.begin()
    clock.advance(50.0)
    stops.end()
    steady = SteadyClock(clock, cpu, stops)
    began = steady()
    for _ in range(3):
        clock.advance(600.0)
        cpu.advance(590.0)
        steady()
    assert steady() - began == 1800.0
    stops.begin()
    clock.advance(5.0)
    assert steady() - began == 1800.0
    stops.end()
    clock.advance(1.0)
    assert steady() - began == 1801.0


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 100))))
def test_a_steady_clock_never_goes_back(script: list[tuple[float, float]]) -> None:
    clock, cpu = FakeClock(), FakeClock()
    stopwatch = Stopwatch(SteadyClock(clock, cpu))
    last = 0.0
    for seconds, cpu_seconds in script:
        clock.advance(seconds)
        cpu.advance(cpu_seconds)
        assert stopwatch.seconds >= last - 1e-6
        last = stopwatch.seconds


def test_a_suspension_does_not_count_as_training_time(corpus: Path) -> None:
    clock = FakeClock()

    def suspend_in_step_five(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(8 * 3600.0 if event.step == 5 else 0.25)
        return ()

    events = run_session(tiny_config(corpus, max_seconds=2.0), None, suspend_in_step_five, clock, times_seconds=0.0)

    finished = only(events, e.RunFinished)
    assert (finished.reason, finished.elapsed_seconds, finished.total_seconds) == ("max_seconds", 2.0, 2.0)
    assert list(losses(events)) == list(range(1, 10))  # one more step: the suspension replaced a quarter second
    assert sum(event.seconds for event in of_type(events, e.StepTimes)) <= 2.0
    rates = [event.chars_per_second for event in of_type(events, e.StepsFinished)]
    assert min(rates[6:]) > 0.5 * max(rates)


# The time of a run by phase -------------------------------------------------------------------------------------------


SMALLEST_CLOCK_STEP = 1e-6


@given(st.lists(st.tuples(st.sampled_from(PHASES), st.floats(0, 100)), max_size=20))
def test_no_second_is_lost_or_counted_twice(script: list[tuple[Phase, float]]) -> None:
    clock = FakeClock()
    timer = PhaseTimer(clock)
    for phase, seconds in script:
        timer.switch_to(phase)
        clock.advance(seconds)
    times = timer.drain()
    assert times["seconds"] == pytest.approx(clock.now, abs=SMALLEST_CLOCK_STEP)
    reported = sum(seconds for name, seconds in times.items() if name.endswith("_seconds"))
    other = sum(seconds for phase, seconds in script if phase == "other")
    assert reported + other == pytest.approx(clock.now, abs=10 * SMALLEST_CLOCK_STEP)


def test_a_run_reports_every_phase_and_they_add_up(corpus: Path) -> None:
    config = tiny_config(corpus, max_steps=6, sample_every=3, eval_every=3)
    events = run_session(config, {4: [c.SaveCheckpoint(name="mine")]}, clock=TickingClock(0.001), times_seconds=0.0)
    times = of_type(events, e.StepTimes)
    assert [event.step for event in times] == [1, 2, 3, 4, 5, 6]
    assert [event.num_steps for event in times] == [1] * 6
    for event in times:
        phases = [getattr(event, f"{phase}_seconds") for phase in PHASES if phase != "other"]
        assert sum(phases) <= event.seconds + 10 * SMALLEST_CLOCK_STEP
        assert min(event.forward_seconds, event.backward_seconds, event.optimizer_seconds, event.data_seconds) > 0
    assert [bool(event.sampling_seconds) for event in times] == [True, False, False, True, False, False]
    assert [bool(event.evaluation_seconds) for event in times] == [False, False, False, True, False, False]
    assert [bool(event.saving_seconds) for event in times] == [True, False, False, True, True, False]
    assert sum(event.seconds for event in times) <= events[-1].elapsed_seconds + 10 * SMALLEST_CLOCK_STEP

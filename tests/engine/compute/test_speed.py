"""Clocks exclude pauses and suspensions; threads and precision are chosen by their speed, here a made-up one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.calibration import (
    MIN_ROUNDS,
    SECONDS_PER_CANDIDATE,
    Calibration,
    Candidate,
    best_count,
    best_precision,
    calibrate,
    thread_counts,
)
from engine.compute.clocks import ProcessStops, SteadyClock, Stopwatch, Throughput
from engine.compute.slowdown_detector import (
    MAX_LOW_WINDOWS,
    MIN_CHECK_SECONDS,
    MIN_DROP_SECONDS,
    WINDOW_SECONDS,
    SlowdownDetector,
)
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
    assert [long_steps.update(index * 20.0, 1000 * index) for index in range(4)][1:] == [50, 50, 50]


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 10_000)), min_size=1))
def test_the_throughput_is_finite_and_never_negative(steps: list[tuple[float, int]]) -> None:
    throughput = Throughput()
    for seconds, chars in zip(*(accumulate(each) for each in zip(*steps, strict=True)), strict=True):
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


@given(st.lists(st.tuples(st.sampled_from(PHASES), st.floats(0, 100)), max_size=20))
def test_no_second_is_lost_or_counted_twice(script: list[tuple[Phase, float]]) -> None:
    clock = FakeClock()
    timer = PhaseTimer(clock)
    for phase, seconds in script:
        timer.switch_to(phase)
        clock.advance(seconds)
    times = timer.drain()
    assert times["seconds"] == pytest.approx(clock.now, abs=1e-6)
    reported = sum(seconds for name, seconds in times.items() if name.endswith("_seconds"))
    other = sum(seconds for phase, seconds in script if phase == "other")
    assert reported + other == pytest.approx(clock.now, abs=1e-5)


def test_a_run_reports_every_phase_and_they_add_up(corpus: Path) -> None:
    config = tiny_config(corpus, max_steps=6, sample_every=3, eval_every=3)
    events = run_session(config, {4: [c.SaveCheckpoint(name="mine")]}, clock=TickingClock(0.001), times_seconds=0.0)
    times = of_type(events, e.StepTimes)
    assert [(event.step, event.num_steps) for event in times] == [(step, 1) for step in range(1, 7)]
    for event in times:
        phases = [getattr(event, f"{phase}_seconds") for phase in PHASES if phase != "other"]
        assert sum(phases) <= event.seconds + 1e-5
        assert min(event.forward_seconds, event.backward_seconds, event.optimizer_seconds, event.data_seconds) > 0
    assert [bool(event.sampling_seconds) for event in times] == [True, False, False, True, False, False]
    assert [bool(event.evaluation_seconds) for event in times] == [False, False, False, True, False, False]
    assert [bool(event.saving_seconds) for event in times] == [True, False, False, True, True, False]
    assert sum(event.seconds for event in times) <= events[-1].elapsed_seconds + 1e-5


# Threads and precision ------------------------------------------------------------------------------------------------


ONE, TWO, FOUR = (Candidate(num_threads=number) for number in (1, 2, 4))
BFLOAT16 = Candidate(num_threads=2, precision="bfloat16")


def calibrated(speeds: dict[Candidate, float]) -> tuple[Calibration, list[Candidate], float]:
    """Run trials at made-up speeds, in characters per second; return the result, the trials and their seconds."""
    clock, trials = FakeClock(), list[Candidate]()

    def run_trial(candidate: Candidate, _: int, size: int) -> tuple[int, float]:
        trials.append(candidate)
        num_chars = min(2400, 128 * size)  # at most a whole batch
        clock.advance(num_chars / speeds[candidate])
        return num_chars, num_chars / speeds[candidate]

    return calibrate(list(speeds), run_trial, clock), trials, clock.now


def test_candidates_are_powers_of_two_and_all_cores_up_to_eight() -> None:
    assert [thread_counts(cores) for cores in (1, 6, 64)] == [[1], [1, 2, 4, 6], [1, 2, 4, 8]]


def test_another_number_of_threads_or_precision_is_chosen_only_if_it_is_clearly_faster() -> None:
    counts = {
        "more threads gain little": ({TWO: 108e3, FOUR: 108e3}, ONE, ONE),
        "threads that block each other": ({TWO: 10e3, FOUR: 5e3}, TWO, ONE),
        "two in use gain little": ({TWO: 105e3}, TWO, TWO),
        "two in use lose": ({TWO: 93e3}, TWO, ONE),
        "one in use, two clearly gain": ({TWO: 125e3}, ONE, TWO),
    }
    for name, (speeds, in_use, expected) in counts.items():
        assert best_count(calibrated({ONE: 100e3, **speeds})[0], in_use) == expected, name
    for rate, expected in {110e3: TWO, 120e3: BFLOAT16, 50e3: TWO}.items():
        assert best_precision(calibrated({TWO: 100e3, BFLOAT16: rate})[0]) == expected
    assert calibrated({ONE: 100e3, TWO: 1e3})[1] == [ONE, TWO]  # threads that block each other run one trial


@given(st.lists(st.floats(1e3, 1e7), min_size=1, max_size=8), st.floats(1e-4, 1.0))
def test_it_ends_in_time_or_after_the_fewest_rounds_and_never_chooses_a_slower_candidate(
    rates: list[float], share: float
) -> None:
    speeds = {Candidate(num_threads=1 + number): rate * share for number, rate in enumerate(rates)}
    calibration, trials, seconds = calibrated(speeds)
    assert seconds <= SECONDS_PER_CANDIDATE * len(rates) + 1e-6 or trials.count(ONE) <= MIN_ROUNDS
    assert calibration.ratio(best_count(calibration, ONE), ONE) >= 1.0


# Slowdowns ------------------------------------------------------------------------------------------------------------


MEASURED = 100_000.0
STEP_SECONDS = 0.05


def train(detector: SlowdownDetector, rate: float, seconds: float = 1e9) -> float:
    """Run steps at `rate` characters per second until it is time to measure; return the seconds until then."""
    for number in count():
        if detector.should_measure or number * STEP_SECONDS >= seconds:
            return number * STEP_SECONDS
        detector.add_step(STEP_SECONDS, round(rate * STEP_SECONDS))
    raise AssertionError


def test_a_collapse_is_detected_within_seconds_and_the_wait_doubles_while_measuring_changes_nothing() -> None:
    detector = SlowdownDetector()
    detector.restart(MEASURED, has_changed=True)
    assert train(detector, 0.72 * MEASURED) >= MIN_CHECK_SECONDS  # a whole step is slower than the measured passes
    detector.restart(MEASURED, has_changed=True)
    train(detector, 80_000, seconds=8)
    train(detector, 5_000, seconds=WINDOW_SECONDS)  # a short dip is no slowdown
    train(detector, 80_000, seconds=2 * WINDOW_SECONDS)
    assert not detector.should_measure
    waits = []
    for _ in range(4):
        waits.append(train(detector, 8_000))
        assert detector.has_dropped
        detector.restart(MEASURED, has_changed=False)

    assert waits[0] <= (MAX_LOW_WINDOWS + 1) * WINDOW_SECONDS
    expected = [MIN_DROP_SECONDS, 2 * MIN_DROP_SECONDS, 4 * MIN_DROP_SECONDS]
    assert waits[1:] == pytest.approx(expected, abs=WINDOW_SECONDS + STEP_SECONDS)

"""Clocks that jump, and laptops that sleep: the time of day changes nothing of the training, and sleep is no time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as e
from engine import folders
from engine.commands import Command
from engine.events import Event
from engine.folders import create_run_folder, find_run, list_runs
from engine.metrics import GAP_SECONDS, ProcessStops, SteadyClock, Stopwatch
from tests.engine.helpers import losses, of_type, resume_config, run_session, stop_at, tiny_config, write_corpus
from tests.fakes import FakeClock

EIGHT_HOURS = 8 * 3600.0


@pytest.fixture
def corpus(home: Path) -> Path:
    return write_corpus(home)


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


def test_a_clock_that_goes_back_stands_still() -> None:
    clock = FakeClock(1000.0)
    steady = SteadyClock(clock, FakeClock())
    before = steady()
    clock.advance(-500.0)
    assert steady() == before
    clock.advance(1.0)
    assert steady() == before + 1.0


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


class Jumping(datetime):
    """The time of day, set forward and back by years."""

    year_to_tell = 2026

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override] # of the one way in which it is called
        return datetime(cls.year_to_tell, 1, 1, 12, 0, 0)  # noqa: DTZ001 - as the name of a run has it


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
    assert told[-1].elapsed_seconds < 60


def test_runs_of_the_same_second_told_twice_get_names_of_their_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "datetime", Jumping)
    names = [create_run_folder(None).name for _ in range(3)]
    assert names == ["2026-01-01-120000", "2026-01-01-120000-2", "2026-01-01-120000-3"]


def test_a_run_of_a_clock_that_was_set_back_is_found_and_resumed_by_its_name(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_session(tiny_config(corpus, run_name=None), stop_at(3))
    first = find_run("last").name
    monkeypatch.setattr(folders, "datetime", Jumping)
    monkeypatch.setattr(Jumping, "year_to_tell", 1999)
    run_session(tiny_config(corpus, run_name=None), stop_at(4))

    assert {run.name for run in list_runs()} == {first, "1999-01-01-120000"}
    assert find_run("last").name == "1999-01-01-120000"  # by when it was changed, whatever it is called
    assert run_session(resume_config("1999-01-01-120000"))[-1].step == 12


def test_a_stop_that_was_told_counts_for_nothing_however_short() -> None:
    clock = FakeClock(100.0)
    stops = ProcessStops(clock)
    steady = SteadyClock(clock, FakeClock(), stops)
    began = steady()
    clock.advance(2.0)
    stops.begin()
    clock.advance(5.0)
    assert steady() - began == 2.0
    stops.end()
    clock.advance(1.0)
    assert steady() - began == 3.0


def test_a_clock_that_begins_after_a_stop_knows_nothing_of_it() -> None:
    clock = FakeClock(100.0)
    stops = ProcessStops(clock)
    stops.begin()
    clock.advance(50.0)
    stops.end()
    steady = SteadyClock(clock, FakeClock(), stops)
    began = steady()
    clock.advance(1.0)
    assert steady() - began == 1.0

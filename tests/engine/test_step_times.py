"""What a run's time goes into: each second in exactly one part, and no pause in any."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import commands as c
from engine import events as e
from engine.step_times import _PARTS, PartTimer
from tests.engine.helpers import of_type, run_session, tiny_config, write_corpus
from tests.fakes import FakeClock

SMALLEST_CLOCK_STEP = 1e-6


def parts_of(event: e.StepTimes) -> dict[str, float]:
    return {part: getattr(event, f"{part}_seconds") for part in _PARTS if part != "other"}


def test_what_is_done_in_the_middle_of_something_else_counts_for_itself() -> None:
    clock = FakeClock()
    timer = PartTimer(clock)
    with timer.during("evaluation"):
        clock.advance(1.0)
        with timer.during("sampling"):
            clock.advance(2.0)
        clock.advance(4.0)
        with contextlib.suppress(ZeroDivisionError), timer.during("saving"):
            clock.advance(8.0)
            raise ZeroDivisionError
    clock.advance(16.0)
    times = timer.take()
    assert (times["evaluation_seconds"], times["sampling_seconds"], times["saving_seconds"]) == (5.0, 2.0, 8.0)
    assert times["seconds"] == 31.0


@given(st.lists(st.tuples(st.sampled_from(_PARTS), st.floats(0, 100)), max_size=20))
def test_no_second_is_lost_or_counted_twice(turns: list[tuple[str, float]]) -> None:
    clock = FakeClock()
    timer = PartTimer(clock)
    for part, seconds in turns:
        timer.turn_to(part)  # type: ignore[arg-type] # one of the parts
        clock.advance(seconds)
    times = timer.take()
    assert times["seconds"] == pytest.approx(clock.now, abs=SMALLEST_CLOCK_STEP)
    told = sum(seconds for name, seconds in times.items() if name.endswith("_seconds"))
    other = sum(seconds for part, seconds in turns if part == "other")
    assert told + other == pytest.approx(clock.now, abs=10 * SMALLEST_CLOCK_STEP)


def test_a_run_tells_every_part_and_they_add_up(home: Path) -> None:
    config = tiny_config(write_corpus(home), max_steps=6, sample_every=3, eval_every=3)
    told = run_session(config, {4: [c.SaveCheckpoint(name="mine")]}, times_seconds=0.0)
    times = of_type(told, e.StepTimes)
    assert [event.step for event in times] == [1, 2, 3, 4, 5, 6]
    assert [event.num_steps for event in times] == [1] * 6
    for event in times:
        assert sum(parts_of(event).values()) <= event.seconds + 10 * SMALLEST_CLOCK_STEP
        assert min(event.forward_seconds, event.backward_seconds, event.optimizer_seconds, event.data_seconds) > 0
    assert [bool(event.sampling_seconds) for event in times] == [True, False, False, True, False, False]
    assert [bool(event.evaluation_seconds) for event in times] == [False, False, False, True, False, False]
    assert [bool(event.saving_seconds) for event in times] == [True, False, False, True, True, False]
    assert sum(event.seconds for event in times) <= told[-1].elapsed_seconds + 10 * SMALLEST_CLOCK_STEP

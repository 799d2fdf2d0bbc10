"""A recorded replay emits each event when it is due by its clock, long gaps shortened, and ends after the last."""

from __future__ import annotations

from pathlib import Path

from engine.protocol import events as e
from tests.fakes import FakeClock, run_started, steps_finished, tweet_sampled
from tests.recorded_runs import write_run
from tui.run.journal_bridge import JournalBridge
from tui.run.replay import END, length_of

RUN = (
    run_started(elapsed_seconds=3.0),
    steps_finished(1, [4.0], elapsed_seconds=13.0),
    tweet_sampled("hello", 1, elapsed_seconds=13.0),
    steps_finished(2, [3.0], elapsed_seconds=1013.0),
)
NO_LIMIT = float("inf")


def bridge_over(path: Path, clock: FakeClock, speed: float = 10.0, max_gap_seconds: float = NO_LIMIT) -> JournalBridge:
    bridge = JournalBridge(path, speed, max_gap_seconds, clock)
    bridge.start()
    return bridge


def test_events_come_at_their_time_from_the_first_on_and_an_end_with_the_last(tmp_path: Path) -> None:
    clock = FakeClock()
    bridge = bridge_over(write_run(tmp_path, RUN), clock)
    assert bridge.drain().events == RUN[:1]
    clock.advance(0.99)
    assert bridge.drain().events == ()
    clock.advance(0.01)
    assert bridge.drain().events == RUN[1:3]
    clock.advance(99.9)
    assert bridge.drain().events == ()
    clock.advance(0.2)
    last, end = bridge.drain().events
    assert last == RUN[3]
    assert isinstance(end, e.RunFinished)
    assert (end.reason, end.step, end.total_seconds) == (END, 2, 1013.0)
    assert not bridge.is_alive
    assert bridge.drain().events == ()


def test_a_gap_is_shortened_to_the_longest_by_the_clock_of_the_recording(tmp_path: Path) -> None:
    clock = FakeClock()
    bridge = bridge_over(write_run(tmp_path, RUN), clock, max_gap_seconds=2.0)
    clock.advance(2.99)
    assert bridge.drain().events == RUN[:3]
    clock.advance(0.02)
    assert bridge.drain().events[:1] == RUN[3:]


def test_the_length_counts_gaps_as_they_are_replayed_and_no_step_back_of_a_resumed_run(tmp_path: Path) -> None:
    resumed = run_started(elapsed_seconds=500.0, resumed_from="latest", step=1)
    further = steps_finished(2, [3.0], elapsed_seconds=520.0)
    path = write_run(tmp_path, (*RUN, resumed, further))
    assert length_of(path) == 1030.0
    assert length_of(path, 100.0) == 130.0

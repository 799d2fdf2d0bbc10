"""A replay emits a run's journal at its pace times a factor, can be paused and stopped, and writes nothing."""

from __future__ import annotations

import math
import queue
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.errors import CheckpointError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import RunFolder
from tests.fakes import (
    FakeClock,
    eval_finished,
    run_started,
    steps_finished,
    steps_thinned,
    text_completed,
    tweet_read,
    tweet_sampled,
)
from tests.recorded_runs import write_run
from tui.run.journal import require_journal
from tui.run.journal_bridge import JournalBridge
from tui.run.replay import ReplaySession, length_of

Plan = tuple[tuple[float, c.Command], ...]
RUN = (
    run_started(),
    steps_finished(1, [4.0], elapsed_seconds=10.0),
    tweet_sampled("hello", 1, elapsed_seconds=10.0),
    steps_finished(2, [3.0, 2.0], elapsed_seconds=20.0),
    eval_finished(3, 2.5),
    steps_finished(4, [1.0], elapsed_seconds=40.0),
)
ENDED = e.RunFinished(step=4, elapsed_seconds=40.0, reason="max steps reached", total_seconds=40.0, total_chars=9)
FAILED = e.RunFailed(step=4, elapsed_seconds=40.0, title="Training diverged", detail="x", hint="y")
RESUMED = run_started(step=3, elapsed_seconds=20.0, resumed_from="latest")
REFUSED = e.CommandRefused(step=1, elapsed_seconds=10.0, command="Finish", title="x", detail="y", hint="z")
ANSWERS = (REFUSED, text_completed("a", elapsed_seconds=10.0), tweet_read("a", elapsed_seconds=10.0))


class Commands(queue.SimpleQueue[c.Command]):
    """A queue of commands at planned times; waiting advances the fake clock at once."""

    def __init__(self, clock: FakeClock, plan: Plan = (), before_each: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._clock, self._plan, self._before_each = clock, list(plan), before_each

    def get(self, block: bool = True, timeout: float | None = None) -> c.Command:
        assert timeout is not None
        self._before_each()
        if self._plan and self._plan[0][0] <= self._clock.now:
            return self._plan.pop(0)[1]
        self._clock.advance(timeout)
        raise queue.Empty


def played(path: Path, speed: float, plan: Plan = ()) -> list[tuple[float, e.Event]]:
    """Return the events of a replay, each with its time."""
    clock = FakeClock()
    emitted: list[tuple[float, e.Event]] = []
    ReplaySession(path, speed, lambda: 0, clock).run(
        lambda event: emitted.append((clock.now, event)), Commands(clock, plan)
    )
    return emitted


def line_of(at: float, event: e.Event) -> str:
    """Return when an event was emitted, and what a reader knows it by."""
    words = [getattr(event, name, "") for name in ("text", "reason", "message", "title", "detail", "hint")]
    return " · ".join(filter(None, [f"{at:6.2f} s  step {event.step}  {type(event).__name__}", *words]))


@pytest.mark.parametrize(
    ("events", "speed", "plan"),
    [
        pytest.param(RUN, 10.0, (), id="ten times as fast"),
        pytest.param(RUN, 0.5, (), id="half as fast"),
        pytest.param(
            (*RUN, FAILED, RESUMED, steps_finished(4, [0.5], elapsed_seconds=30.0), ENDED), 10.0, (), id="resumed"
        ),
        pytest.param((RUN[0], *ANSWERS, RUN[1]), math.inf, (), id="answers and refusals"),
        pytest.param(RUN, 10.0, ((0.5, c.Pause()), (100.5, c.Resume())), id="paused"),
        pytest.param(RUN, 10.0, ((1.5, c.Stop(reason="enough")),), id="stopped"),
        pytest.param(RUN, 10.0, ((0.1, c.LoadCheckpoint(name="a")),), id="steered"),
        pytest.param(
            (
                run_started(),
                steps_thinned(1, 100, elapsed_seconds=10.0),
                steps_thinned(101, 200, elapsed_seconds=20.0),
                steps_finished(201, [2.5], elapsed_seconds=30.0),
            ),
            10.0,
            (),
            id="thinned steps",
        ),
    ],
)
def test_when_which_events_of_a_journal_are_replayed(
    home: Path, events: tuple[e.Event, ...], speed: float, plan: Plan, snapshot: SnapshotAssertion
) -> None:
    emitted = played(write_run(home, events), speed, plan)
    assert "\n".join(line_of(*each) for each in emitted) == snapshot
    from_journal = [event for _, event in emitted if not isinstance(event, e.Paused | e.Resumed | e.CommandRefused)]
    assert [event for event in events if event in from_journal] == from_journal[:-1]


def test_steps_due_together_are_merged_into_one_event_with_all_losses(home: Path) -> None:
    emitted = played(
        write_run(home, [run_started(), *(steps_finished(n, [float(n)]) for n in range(1, 2501))]), math.inf
    )
    steps = [event for _, event in emitted if isinstance(event, e.StepsFinished)]
    assert [loss for event in steps for loss in event.train_losses] == list(range(1, 2501))
    assert [event.first_step for event in steps][1:] == [event.step + 1 for event in steps][:-1]
    assert len(steps) <= 6
    assert max(len(event.train_losses) for event in steps) <= 1000


def test_a_replay_at_full_speed_waits_for_the_screen_to_drain_its_events(home: Path) -> None:
    path = write_run(home, [run_started(), *(tweet_sampled(f"number {number}", 1) for number in range(2000))])
    waiting: list[e.Event] = []
    counts, num_drained = [0], 0

    def emit(event: e.Event) -> None:
        waiting.append(event)
        counts.append(len(waiting))

    def drain() -> None:
        nonlocal num_drained
        num_drained += len(waiting)
        waiting.clear()

    clock = FakeClock()
    ReplaySession(path, math.inf, lambda: len(waiting), clock).run(emit, Commands(clock, before_each=drain))
    assert num_drained + len(waiting) == 2002
    assert 1 < max(counts) <= 151


def test_a_replay_includes_events_that_are_appended_while_it_plays(home: Path) -> None:
    with write_run(home, RUN[:2]).open("a") as file:
        clock, emitted = FakeClock(), list[e.Event]()

        def emit(event: e.Event) -> None:
            emitted.append(event)
            if event == RUN[0]:  # the run still trains
                file.write(e.to_json(RUN[3]) + "\n")
                file.flush()

        ReplaySession(Path(file.name), 10.0, lambda: 0, clock).run(emit, Commands(clock))
    assert emitted[:-1] == [RUN[0], RUN[1], RUN[3]]


def test_damaged_lines_are_counted_at_the_end_and_a_journal_without_a_readable_event_is_an_error(home: Path) -> None:
    path = write_run(home, RUN)
    path.write_bytes(path.read_bytes() + b'{"event":"Paused","step":1e999}\nnonsense\n\0\0\n')
    *emitted, warned, end = (event for _, event in played(path, math.inf))
    assert isinstance(end, e.RunFinished)
    assert isinstance(warned, e.Warned)
    assert warned.message == "3 lines of the journal can't be read; they are skipped."
    assert not any(isinstance(event, e.Warned) for event in emitted)
    path.write_bytes(b"nonsense\n" * 3)
    with pytest.raises(CheckpointError, match="No line of"):
        require_journal(RunFolder(path.parent))
    path.unlink()
    with pytest.raises(CheckpointError, match="has no journal"):
        require_journal(RunFolder(path.parent))


# A replay that is recorded, by any clock ------------------------------------------------------------------------------

RECORDED = (
    run_started(elapsed_seconds=3.0),
    steps_finished(1, [4.0], elapsed_seconds=13.0),
    tweet_sampled("hello", 1, elapsed_seconds=13.0),
    steps_finished(2, [3.0], elapsed_seconds=1013.0),
)


@pytest.mark.parametrize(
    ("max_gap_seconds", "times", "counts"),
    [(math.inf, (0, 0.99, 1.0, 100.9, 101.1, 200), (1, 0, 2, 0, 2, 0)), (2.0, (2.99, 3.01), (3, 2))],
)
def test_recorded_events_come_when_they_are_due_long_gaps_shortened_and_an_end_after_the_last(
    home: Path, max_gap_seconds: float, times: Iterable[float], counts: tuple[int, ...]
) -> None:
    clock = FakeClock()
    bridge = JournalBridge(write_run(home, RECORDED), 10.0, max_gap_seconds, clock)
    bridge.start()
    drained = []
    for clock.now in times:
        drained.append(bridge.drain().events)
    assert tuple(map(len, drained)) == counts
    *events, end = (event for some in drained for event in some)
    assert tuple(events) == RECORDED
    assert isinstance(end, e.RunFinished)
    assert (end.reason, end.step, end.total_seconds) == ("end of the replay", 2, 1013.0)
    assert not bridge.is_alive


def test_the_length_counts_gaps_as_they_are_replayed_and_no_step_back_of_a_resumed_run(home: Path) -> None:
    path = write_run(
        home, (*RECORDED, run_started(elapsed_seconds=500.0), steps_finished(2, [3.0], elapsed_seconds=520.0))
    )
    assert length_of(path) == 1030.0
    assert length_of(path, 100.0) == 130.0

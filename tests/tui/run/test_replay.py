"""A replay emits a run's journal at its pace times a factor, can be paused and stopped, and writes nothing."""

from __future__ import annotations

import queue
from collections.abc import Iterable
from pathlib import Path

import pytest

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
from tui.run.folding import fold
from tui.run.journal import require_journal
from tui.run.replay import TITLE, ReplaySession
from tui.run.view import RunView

MAX = float("inf")
FINISHED = e.RunFinished(step=4, elapsed_seconds=40.0, reason="max steps reached", total_seconds=40.0, total_chars=9)
RUN = (
    run_started(),
    steps_finished(1, [4.0], elapsed_seconds=10.0),
    tweet_sampled("hello", 1, elapsed_seconds=10.0),
    steps_finished(2, [3.0, 2.0], elapsed_seconds=20.0),
    eval_finished(3, 2.5),
    steps_finished(4, [1.0], elapsed_seconds=40.0),
)


def journal_of(folder: Path, events: Iterable[e.Event]) -> Path:
    path = folder / "events.jsonl"
    path.write_text("".join(e.to_json(event) + "\n" for event in events), encoding="utf-8")
    return path


class Commands(queue.SimpleQueue[c.Command]):
    """A queue of commands at planned times; waiting advances the fake clock at once."""

    def __init__(self, clock: FakeClock, plan: Iterable[tuple[float, c.Command]] = ()) -> None:
        super().__init__()
        self._clock = clock
        self._plan = list(plan)

    def get(self, block: bool = True, timeout: float | None = None) -> c.Command:
        assert timeout is not None
        if self._plan and self._plan[0][0] <= self._clock.now:
            return self._plan.pop(0)[1]
        self._clock.advance(timeout)
        raise queue.Empty


def played(
    path: Path, speed: float, *plan: tuple[float, c.Command], clock: FakeClock | None = None
) -> list[tuple[float, e.Event]]:
    """Return the events of a replay, each with its time."""
    clock = clock or FakeClock()
    emitted: list[tuple[float, e.Event]] = []
    ReplaySession(path, speed, lambda: 0, clock).run(
        lambda event: emitted.append((clock.now, event)), Commands(clock, plan)
    )
    return emitted


def events_of(emitted: Iterable[tuple[float, e.Event]]) -> list[e.Event]:
    return [event for _, event in emitted]


@pytest.mark.parametrize("speed", [10.0, 0.5])
def test_events_are_replayed_at_their_pace_times_the_speed(tmp_path: Path, speed: float) -> None:
    emitted = played(journal_of(tmp_path, RUN), speed)
    for at, event in emitted[:4]:
        assert at == pytest.approx(event.elapsed_seconds / speed, abs=0.051)
    assert emitted[-2][0] == pytest.approx(emitted[-1][0])
    assert events_of(emitted)[:-1] == list(RUN)


def test_the_replay_of_a_resumed_run_skips_the_ends_between_its_sessions(tmp_path: Path) -> None:
    failed = e.RunFailed(step=4, elapsed_seconds=40.0, title="Training diverged", detail="x", hint="y")
    resumed = run_started(step=3, elapsed_seconds=20.0, resumed_from="latest")
    further = steps_finished(4, [0.5], elapsed_seconds=30.0)
    emitted = played(journal_of(tmp_path, (*RUN, failed, resumed, further, FINISHED)), 10.0)
    assert events_of(emitted)[:-1] == [*RUN, resumed, further]
    # the clock that was set back costs no time, and none is saved up
    assert emitted[-2][0] - emitted[-3][0] == pytest.approx(1.0, abs=0.051)


def test_a_replay_omits_answers_and_refusals(tmp_path: Path) -> None:
    refused = e.CommandRefused(step=1, elapsed_seconds=10.0, command="Finish", title="x", detail="y", hint="z")
    events = (RUN[0], refused, text_completed("a", elapsed_seconds=10.0), tweet_read("a", elapsed_seconds=10.0), RUN[1])
    assert events_of(played(journal_of(tmp_path, events), MAX))[:-1] == [RUN[0], RUN[1]]


def test_a_paused_replay_emits_nothing_and_its_clock_stands(tmp_path: Path) -> None:
    emitted = played(journal_of(tmp_path, RUN), 10.0, (0.5, c.Pause()), (100.5, c.Resume()))
    paused = next(number for number, (_, event) in enumerate(emitted) if isinstance(event, e.Paused))
    assert isinstance(emitted[paused + 1][1], e.Resumed)
    at, event = emitted[paused + 2]
    assert event == RUN[1]
    assert at == pytest.approx(101.0, abs=0.11)


def test_a_stop_ends_a_replay_at_once_with_its_reason(tmp_path: Path) -> None:
    many: list[e.Event] = [run_started(), *(tweet_sampled("x", 1, elapsed_seconds=10.0 * n) for n in range(1, 5000))]
    emitted = played(journal_of(tmp_path, many), 10.0, (0.1, c.Stop(reason="enough")))
    last = emitted[-1][1]
    assert isinstance(last, e.RunFinished)
    assert last.reason == "enough"
    assert len(emitted) < 1500


def test_a_replay_refuses_steering_commands_with_a_hint_on_how_to_resume_the_run(tmp_path: Path) -> None:
    emitted = events_of(played(journal_of(tmp_path, RUN), 10.0, (0.1, c.LoadCheckpoint(name="a"))))
    (refused,) = [event for event in emitted if isinstance(event, e.CommandRefused)]
    assert (refused.command, refused.title) == ("LoadCheckpoint", TITLE)
    assert "replay" in refused.detail
    assert f"--resume {tmp_path.name}" in refused.hint


def test_steps_due_together_are_merged_into_one_event_with_all_losses(tmp_path: Path) -> None:
    many: list[e.Event] = [run_started(), *(steps_finished(step, [float(step)]) for step in range(1, 2501))]
    emitted = events_of(played(journal_of(tmp_path, many), MAX))
    steps = [event for event in emitted if isinstance(event, e.StepsFinished)]
    assert [loss for event in steps for loss in event.train_losses] == list(range(1, 2501))
    assert [event.first_step for event in steps][1:] == [event.step + 1 for event in steps][:-1]
    assert len(steps) <= 6
    assert max(len(event.train_losses) for event in steps) <= 1000


def test_thinned_steps_are_replayed_at_the_time_of_their_last_step(tmp_path: Path) -> None:
    buckets = [steps_thinned(1, 100, elapsed_seconds=10.0), steps_thinned(101, 200, elapsed_seconds=20.0)]
    recent = steps_finished(201, [2.5], elapsed_seconds=30.0)
    emitted = played(journal_of(tmp_path, [run_started(), *buckets, recent]), 10.0)
    assert events_of(emitted)[:-1] == [run_started(), *buckets, recent]
    assert [at for at, _ in emitted[1:4]] == pytest.approx([1.0, 2.0, 3.0], abs=0.051)
    view = fold(RunView(), events_of(emitted))
    assert (len(view.train_losses), view.train_losses.last_step, view.train_losses.last) == (201, 201, 2.5)
    assert view.train_losses.columns(1, 200, 1).high[0] == 3.0


def test_a_replay_at_full_speed_waits_for_the_screen_to_drain_its_events(tmp_path: Path) -> None:
    path = journal_of(tmp_path, [run_started(), *(tweet_sampled(f"number {number}", 1) for number in range(2000))])
    clock = FakeClock()
    waiting: list[e.Event] = []
    drained: list[e.Event] = []

    class Screen(Commands):
        def get(self, block: bool = True, timeout: float | None = None) -> c.Command:
            drained.extend(waiting)
            waiting.clear()
            return super().get(block, timeout)

    most = 0

    def emit(event: e.Event) -> None:
        nonlocal most
        waiting.append(event)
        most = max(most, len(waiting))

    ReplaySession(path, MAX, lambda: len(waiting), clock).run(emit, Screen(clock))
    assert len(drained) + len(waiting) == 2002
    assert 1 < most <= 151


def test_a_replay_includes_events_that_are_appended_while_it_plays(tmp_path: Path) -> None:
    path = journal_of(tmp_path, RUN[:2])
    with path.open("a") as file:
        clock = FakeClock()
        emitted: list[e.Event] = []

        def emit(event: e.Event) -> None:
            emitted.append(event)
            if event == RUN[0]:  # the run still trains
                file.write(e.to_json(RUN[3]) + "\n")
                file.flush()

        ReplaySession(path, 10.0, lambda: 0, clock).run(emit, Commands(clock))
    assert emitted[:-1] == [RUN[0], RUN[1], RUN[3]]


def test_damaged_lines_are_counted_at_the_end_of_a_replay(tmp_path: Path) -> None:
    path = journal_of(tmp_path, RUN)
    path.write_bytes(path.read_bytes() + b'{"event":"Paused","step":1e999}\nnonsense\n\0\0\n')
    *emitted, warned, end = events_of(played(path, MAX))
    assert isinstance(end, e.RunFinished)
    assert isinstance(warned, e.Warned)
    assert warned.message == "3 lines of the journal can't be read; they are skipped."
    assert not any(isinstance(event, e.Warned) for event in emitted)


def test_a_journal_without_a_readable_event_is_a_checkpoint_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has no journal"):
        require_journal(RunFolder(tmp_path))
    (tmp_path / "events.jsonl").write_bytes(b"nonsense\n" * 3)
    with pytest.raises(CheckpointError, match="No line of"):
        require_journal(RunFolder(tmp_path))

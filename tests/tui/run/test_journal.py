"""The journal of a run: read back as the history of a resumed run, and replayed at its pace times a factor."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion

from engine.errors import CheckpointError
from engine.protocol import codec
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import RunFolder
from tests import fakes
from tests.fakes import FakeClock, run_started, steps_finished, tweet_sampled
from tests.recorded_runs import write_run
from tests.tui.run.stories import stories
from tui.run.connection import Update
from tui.run.fold import fold
from tui.run.journal import read_history, require_journal
from tui.run.replay import ReplayedRun, length_of
from tui.run.view import RunView

PHASES = ("data", "forward", "backward", "optimizer", "sampling", "evaluation", "saving")
EDITED = b"\0" * 5000 + b"\nedited\nby hand\n", "3 lines of the journal can't be read; they are skipped."


@pytest.mark.parametrize(
    ("damage", "warning"),
    [(b"", ""), (b'{"event":"Pau', ""), (b"\0" * 5000, ""), EDITED],
    ids=["nothing", "torn", "zeros of a power loss", "edited"],
)
def test_missing_events_are_reported_unless_a_kill_has_torn_the_last_line(
    home: Path, damage: bytes, warning: str
) -> None:
    events = [run_started(), *(steps_finished(step, [3.0]) for step in range(1, 40)), tweet_sampled("hello", 39)]
    path = write_run(home, events)
    path.write_bytes(path.read_bytes() + damage)
    view, found = read_history(path)
    assert (view.step, len(view.train_losses), view.tweets, view.started) == (39, 39, (events[-1],), events[0])
    assert found == warning


def test_without_a_journal_there_is_no_history(tmp_path: Path) -> None:
    assert read_history(tmp_path / "none")[0].started is None
    with pytest.raises(OSError, match="Is a directory"):
        read_history(tmp_path)


@pytest.mark.parametrize("most", [100, 998, 1000, 1002])
def test_of_very_many_tweets_the_latest_and_some_earlier_ones_are_read_and_all_are_counted(
    home: Path, most: int
) -> None:
    tweets = (tweet_sampled(f"number {number}", number) for number in range(1, 1001))
    path = write_run(home, [run_started(), *tweets])
    with (
        mock.patch("tui.run.journal.MAX_TWEETS", most),
        mock.patch.dict("tui.run.journal._NUM_LATEST", {b'{"event":"TweetSampl': most // 2}),
    ):
        view, warning = read_history(path)
    steps = [tweet.step for tweet in view.tweets]
    assert (view.num_tweets, view.step, warning) == (1000, 1000, "")
    assert most / 2 <= len(steps) <= most
    assert steps == sorted(steps)
    assert steps[0] == 1
    assert steps[-(most // 2) :] == [*range(1001 - most // 2, 1001)]


def test_the_latest_measurements_are_read(home: Path) -> None:
    times: dict[str, Any] = dict.fromkeys(("seconds", *(f"{name}_seconds" for name in PHASES)), 0.5)
    events: list[e.Event] = [run_started()]
    events += [e.StepTimes(step=step, elapsed_seconds=1.0, num_steps=9, **times) for step in range(50)]
    events += [structs.replace(fakes.ranks_measured((0.0, share)), step=49) for share in (0.25, 0.75)]
    view, _ = read_history(write_run(home, events))
    expected = fold(RunView(), events)
    assert (view.times, view.ranks, view.step) == (expected.times, expected.ranks, 49)


# Replayed -------------------------------------------------------------------------------------------------------------

Plan = tuple[tuple[float, c.Command], ...]
STORIES = stories("replays")
RUN = STORIES["a run"]


def played(path: Path, speed: float, plan: Plan = ()) -> list[tuple[float, e.Event]]:
    """Return the events of a replay, each with its time."""
    clock, coming = FakeClock(), list(plan)
    emitted: list[tuple[float, e.Event]] = []
    replay = ReplayedRun(path, speed, clock)
    replay.start()
    while replay.is_alive:
        if coming and coming[0][0] <= clock.now:
            replay.send(coming.pop(0)[1])
        emitted += [(clock.now, event) for event in replay.drain().events]
        clock.now = round(clock.now + 0.05, 2)
    return emitted


def line_of(at: float, event: e.Event) -> str:
    """Return when an event was emitted, and what a reader knows it by."""
    words = [getattr(event, name, "") for name in ("text", "reason", "message", "title", "detail", "hint")]
    return " · ".join(filter(None, [f"{at:6.2f} s  step {event.step}  {type(event).__name__}", *words]))


REPLAYS: dict[str, tuple[str, float, Plan]] = {
    "ten times as fast": ("a run", 10.0, ()),
    "half as fast": ("a run", 0.5, ()),
    "resumed": ("resumed", 10.0, ()),
    "answers and refusals": ("answers and refusals", math.inf, ()),
    "paused": ("a run", 10.0, ((0.5, c.Pause()), (100.5, c.Resume()))),
    "stopped": ("a run", 10.0, ((1.5, c.Stop(reason="enough")),)),
    "steered": ("a run", 10.0, ((0.1, c.LoadCheckpoint(name="a")),)),
    "thinned steps": ("thinned steps", 10.0, ()),
}


@pytest.mark.parametrize("name", REPLAYS)
def test_when_which_events_of_a_journal_are_replayed(home: Path, name: str, snapshot: SnapshotAssertion) -> None:
    story, speed, plan = REPLAYS[name]
    events = STORIES[story]
    emitted = played(write_run(home, events), speed, plan)
    assert "\n".join(line_of(*each) for each in emitted) == snapshot
    from_journal = [event for _, event in emitted if not isinstance(event, e.Paused | e.Resumed | e.CommandRefused)]
    assert [event for event in events if event in from_journal] == from_journal[:-1]


def test_reports_of_steps_that_are_due_together_come_together_however_many(home: Path) -> None:
    """The fold applies them at once, and most events of a journal are such reports."""
    path = write_run(home, [run_started(), *(steps_finished(n, [float(n)]) for n in range(1, 2501))])
    emitted = played(path, math.inf)
    steps = [(at, event.train_losses) for at, event in emitted if isinstance(event, e.StepsFinished)]
    assert steps == [(steps[0][0], (float(n),)) for n in range(1, 2501)]


def test_a_replay_at_full_speed_waits_for_the_screen_to_drain_its_events(home: Path) -> None:
    path = write_run(home, [run_started(), *(tweet_sampled(f"number {number}", 1) for number in range(2000))])
    counts = Counter(at for at, _ in played(path, math.inf))
    assert sum(counts.values()) == 2002
    assert 1 < max(counts.values()) <= 151


def test_a_replay_includes_events_that_are_appended_while_it_plays(home: Path) -> None:
    with write_run(home, RUN[:2]).open("a") as file:
        clock, emitted = FakeClock(), list[e.Event]()
        replay = ReplayedRun(Path(file.name), 10.0, clock)
        while replay.is_alive:
            emitted += replay.drain().events
            if emitted == [RUN[0]]:  # the run still trains
                file.write(codec.encode(RUN[3]) + "\n")
                file.flush()
            clock.advance(1.0)
    assert emitted[:-1] == [RUN[0], RUN[1], RUN[3]]


def test_nothing_follows_the_end_of_a_replay_whatever_is_sent_to_it(home: Path) -> None:
    replay = ReplayedRun(write_run(home, RUN), math.inf, FakeClock())
    replay.send(c.Stop(reason="enough"))
    for command in (c.Pause(), c.TakeStep(), c.Stop()):
        replay.send(command)
    [end] = replay.drain().events
    assert isinstance(end, e.RunFinished)
    assert replay.drain() == Update()


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


@pytest.mark.parametrize("max_gap_seconds", [math.inf, 2.0])
def test_recorded_events_come_when_they_are_due_long_gaps_shortened_and_an_end_after_the_last(
    home: Path, max_gap_seconds: float, snapshot: SnapshotAssertion
) -> None:
    events = STORIES["long gaps"]
    path, clock, lines = write_run(home, events), FakeClock(), list[str]()
    bridge = ReplayedRun(path, 10.0, clock, max_gap_seconds)
    bridge.start()
    for clock.now in (0, 0.99, 1.0, 2.99, 3.01, 100.9, 101.1, 200):
        lines += [line_of(clock.now, event) for event in bridge.drain().events]
    assert not bridge.is_alive
    with path.open("a") as file:  # the clock of a resumed run goes back
        file.write(codec.encode(run_started(elapsed_seconds=500.0)) + "\n" + codec.encode(events[-1]) + "\n")
    lines.append(f"with as many seconds again from 500: {length_of(path, 10 * max_gap_seconds) / 10:6.2f} s")
    assert "\n".join(lines) == snapshot

"""The journal of a run, read back as the history of a resumed run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from msgspec import structs

from engine.protocol import codec
from engine.protocol import events as e
from tests import fakes
from tests.fakes import run_started, steps_finished, tweet_sampled
from tui.run.fold import fold
from tui.run.journal import read_history
from tui.run.view import RunView

PHASES = ("data", "forward", "backward", "optimizer", "sampling", "evaluation", "saving")

EVENTS: tuple[e.Event, ...] = (
    run_started(),
    *(steps_finished(step, [3.0]) for step in range(1, 40)),
    tweet_sampled("hello", 39),
)


def lines_of(events: Iterable[e.Event]) -> bytes:
    return "".join(codec.encode(event) + "\n" for event in events).encode()


@pytest.mark.parametrize(
    ("damage", "warning"),
    [
        (b"", ""),
        (b'{"event":"Pau', ""),
        (b"\0" * 5000, ""),
        (b"\0" * 5000 + b"\nedited\nby hand\n", "3 lines of the journal can't be read; they are skipped."),
    ],
    ids=["nothing", "torn", "zeros of a power loss", "edited"],
)
def test_missing_events_are_reported_unless_a_kill_has_torn_the_last_line(
    tmp_path: Path, damage: bytes, warning: str
) -> None:
    (tmp_path / "j").write_bytes(lines_of(EVENTS) + damage)
    view, found = read_history(tmp_path / "j")
    assert (view.step, len(view.train_losses), view.tweets, view.started) == (39, 39, (EVENTS[-1],), EVENTS[0])
    assert found == warning


def test_without_a_journal_there_is_no_history(tmp_path: Path) -> None:
    assert read_history(tmp_path / "none")[0].started is None
    with pytest.raises(OSError, match="Is a directory"):
        read_history(tmp_path)


@pytest.mark.parametrize("most", [100, 998, 1000, 1002])
def test_of_very_many_tweets_the_latest_and_some_earlier_ones_are_read_and_all_are_counted(
    tmp_path: Path, most: int
) -> None:
    tweets = (tweet_sampled(f"number {number}", number) for number in range(1, 1001))
    (tmp_path / "j").write_bytes(lines_of([run_started(), *tweets]))
    with (
        mock.patch("tui.run.journal.MAX_TWEETS", most),
        mock.patch.dict("tui.run.journal._NUM_LATEST", {b'{"event":"TweetSampl': most // 2}),
    ):
        view, warning = read_history(tmp_path / "j")
    steps = [tweet.step for tweet in view.tweets]
    assert (view.num_tweets, view.step, warning) == (1000, 1000, "")
    assert most / 2 <= len(steps) <= most
    assert steps == sorted(steps)
    assert steps[0] == 1
    assert steps[-(most // 2) :] == [*range(1001 - most // 2, 1001)]


def test_the_latest_measurements_are_read(tmp_path: Path) -> None:
    times: dict[str, Any] = dict.fromkeys(("seconds", *(f"{name}_seconds" for name in PHASES)), 0.5)
    events: list[e.Event] = [run_started()]
    events += [e.StepTimes(step=step, elapsed_seconds=1.0, num_steps=9, **times) for step in range(50)]
    events += [structs.replace(fakes.ranks_measured((0.0, share)), step=49) for share in (0.25, 0.75)]
    (tmp_path / "j").write_bytes(lines_of(events))
    view, _ = read_history(tmp_path / "j")
    expected = fold(RunView(), events)
    assert (view.times, view.ranks, view.step) == (expected.times, expected.ranks, 49)

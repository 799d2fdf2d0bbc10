"""The journal has every event, with steps whole or in buckets, whatever happens to the file; one program writes it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from itertools import chain, pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from engine.config.run import TrainingConfig
from engine.errors import StorageError
from engine.protocol import codec
from engine.protocol import events as e
from engine.storage import files, journal
from engine.storage.files import is_locked
from engine.storage.journal import WHOLE_STEPS as USUAL_WHOLE_STEPS
from engine.storage.journal import Journal, SkippedLines, StepBuckets, last_event, read_journal
from tests import strategies
from tests.fakes import BrokenDisk, eval_finished, run_started, steps_finished, tweet_sampled
from tui.run.fold import fold
from tui.run.series import MAX_BUCKETS
from tui.run.view import RunView

WHOLE_STEPS = 8


@pytest.fixture(autouse=True)
def few_whole_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "WHOLE_STEPS", WHOLE_STEPS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    return folder / "events.jsonl"


def paused(step: int) -> e.Event:
    return e.Paused(step=step, elapsed_seconds=step / 2)


def write(path: Path, *events: e.Event) -> None:
    """Append events in a new session."""
    journal = Journal(path)
    for event in events:
        journal.write(event)
    journal.close()


def test_only_the_user_can_read_what_a_run_sampled(path: Path) -> None:
    before = os.umask(0o022)
    write(path, paused(1))
    os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


# Writing --------------------------------------------------------------------------------------------------------------
@given(
    sessions=st.lists(st.lists(strategies.events().filter(lambda each: not is_of_steps(each)), max_size=4), max_size=3)
)
def test_events_of_all_sessions_are_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[list[e.Event]]
) -> None:
    """Steps have a test of their own: they may become a bucket."""
    path = tmp_path_factory.mktemp("journal") / "events.jsonl"
    for events in sessions:
        write(path, *events)
    expected = [event for events in sessions for event in events]
    assert list(read_journal(path)) == expected
    assert (path.read_text() if path.exists() else "") == "".join(f"{codec.encode(event)}\n" for event in expected)
    assert last_event(path) == (expected[-1] if expected else None)


def test_an_open_journal_is_locked_where_the_disk_has_locks_and_has_every_event_at_once(path: Path) -> None:
    first = Journal(path)
    first.write(paused(1))
    assert list(read_journal(path)) == [paused(1)]
    assert is_locked(path)
    with pytest.raises(StorageError, match="tiny is active already") as refused:
        Journal(path)
    assert "tweetgen-tui attach tiny" in refused.value.hint
    first.close()
    assert not is_locked(path)
    with mock.patch.object(fcntl, "flock", side_effect=OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))):
        write(path, paused(2))
        assert not is_locked(path)
    assert list(read_journal(path)) == [paused(1), paused(2)]


def steps_on_disk(path: Path) -> list[tuple[str, int, int]]:
    """Return kind, first and last step of each report in a journal."""
    events = (event for event in read_journal(path) if hasattr(event, "first_step"))
    return [(type(event).__name__, event.first_step, event.step) for event in events]


def test_the_open_bucket_is_written_at_a_checkpoint_and_the_end_and_widths_count_from_the_first_run(path: Path) -> None:
    first = Journal(path)
    for event in (run_started(), steps_finished(1, [2.0] * 10), tweet_sampled("hi", 10)):
        first.write(event)
    written = [("StepsFinished", 1, 7), ("StepsThinned", 8, 9)]
    assert steps_on_disk(path) == written
    assert last_event(path) == tweet_sampled("hi", 10)
    first.end_bucket()
    first.write(steps_finished(11, [2.0] * 6))
    first.close()
    written += [("StepsThinned", *steps) for steps in [(10, 10), (11, 11), (12, 13), (14, 15), (16, 16)]]
    assert steps_on_disk(path) == written
    write(path, run_started(step=16, resumed_from="tiny/latest"), steps_finished(17, [2.0] * 8))
    assert steps_on_disk(path)[len(written) :] == [("StepsThinned", *steps) for steps in [(17, 19), (20, 23), (24, 24)]]


def test_a_bucket_refused_by_a_failing_disk_precedes_later_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = BrokenDisk()
    monkeypatch.setattr(files, "os", disk)
    written = Journal(path)
    written.write(run_started())
    disk.breaks_at = 0
    with pytest.raises(StorageError, match="No space left"):
        written.write(steps_finished(1, [2.0] * 16))
    written.write(paused(16))
    assert (written.is_failing, written.num_waiting) == (True, 7)  # whole steps, five buckets and the pause
    with pytest.raises(StorageError):
        written.flush()
    disk.breaks_at = None
    written.flush()
    written.close()
    assert [type(event).__name__ for event in read_journal(path)][-2:] == ["StepsThinned", "Paused"]
    assert sum(event.num_steps for event in read_journal(path) if isinstance(event, e.StepsThinned)) == 9


@pytest.mark.parametrize("num_bytes", [1, 20, len(codec.encode(paused(2)))])
def test_a_torn_last_line_is_skipped_and_harms_no_later_line(path: Path, num_bytes: int) -> None:
    write(path, paused(1))
    path.write_bytes(path.read_bytes() + codec.encode(paused(2)).encode()[:num_bytes])
    before = [paused(1)] if num_bytes < len(codec.encode(paused(2))) else [paused(1), paused(2)]
    assert list(read_journal(path)) == before
    write(path, paused(3))
    assert list(read_journal(path)) == [*before, paused(3)]


# Reading damaged journals ---------------------------------------------------------------------------------------------
def changed(event: e.Event, old: str, new: str) -> bytes:
    return codec.encode(event).replace(old, new, 1).encode()


TORN = codec.encode(paused(9)).encode()[:20]
JUNK = [b"\xff\xfe", b"[]", b'{"step": 1}', b"[" * 100_000, b'{"event":"Exploded","step":3,"elapsed_seconds":1.0}']
NUMBERS = [changed(paused(1), '"step":1', f'"step":{number}') for number in ("1e999", "NaN", '"1"', "-1", "9" * 30)]
Lines = list[e.Event | bytes]
LOSSES = [changed(steps_finished(1, [4.0]), "4.0", loss) for loss in ("1e300", "null")]


@pytest.mark.parametrize(
    ("lines", "events", "num_counted"),
    [
        pytest.param([run_started(), TORN, run_started(), b"\0" * 500], [run_started()] * 2, 0, id="one torn each"),
        pytest.param([run_started(), *JUNK, paused(2), *JUNK], [run_started(), paused(2)], 10, id="more is counted"),
        pytest.param([run_started(), *NUMBERS, *LOSSES], [run_started()], 7, id="invalid numbers"),
        pytest.param([b"", b" ", paused(1), b""], [paused(1)], 0, id="empty lines"),
    ],
)
def test_bad_lines_are_skipped_and_counted(path: Path, lines: Lines, events: list[e.Event], num_counted: int) -> None:
    path.write_bytes(
        b"".join((each if isinstance(each, bytes) else codec.encode(each).encode()) + b"\n" for each in lines)
    )
    skipped = SkippedLines()
    assert list(read_journal(path, skipped)) == events
    counted = f"{num_counted} lines of the journal can't be read; they are skipped."
    assert skipped.warning == (counted if num_counted else "")


def test_what_is_no_regular_file_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # what is written into it waits for a reader
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "zero", "folder"):
        with pytest.raises(OSError, match=r"regular|directory"):
            list(read_journal(tmp_path / name))
    assert list(read_journal(tmp_path / "missing")) == []
    for name, problem in (
        ("pipe", "Not a regular file"),
        ("folder", "Is a directory"),
        ("no folder/x", "No such file"),
    ):
        with pytest.raises(StorageError, match=problem):
            Journal(tmp_path / name)


# Steps in buckets -----------------------------------------------------------------------------------------------------
Action = e.Event | None
"""An event, or None where the state is copied for a checkpoint."""
FLOAT32 = st.floats(0, 100, width=32).map(lambda value: float(str(np.float32(value))))
"""Losses have the fewest digits that differ from no other float32."""


@st.composite
def runs(draw: st.DrawFn, kinds: str = "steps steps steps tweet eval save load skip pause") -> list[Action]:
    """The actions of a run; its time rises."""
    first = draw(st.sampled_from([0, 1, 13, 1000]))
    actions: list[Action] = [run_started(step=first)]
    step = first
    for kind in draw(st.lists(st.sampled_from(kinds.split()), max_size=30)):
        seconds = float(len(actions))
        now: dict[str, Any] = {"step": step, "elapsed_seconds": seconds}
        match kind:
            case "steps":
                losses = draw(st.lists(FLOAT32, min_size=1, max_size=40))
                others = {"grad_norms": tuple(reversed(losses)), "learning_rates": tuple(losses)}
                actions.append(steps_finished(step + 1, losses, elapsed_seconds=seconds, **others))
                step += len(losses)
            case "tweet":
                actions.append(tweet_sampled("hi", **now))
            case "eval":
                actions.append(structs.replace(eval_finished(step, 2.5), elapsed_seconds=seconds))
            case "save":
                actions.append(None)
            case "load":
                step = draw(st.integers(0, step))
                now["step"] = step
                actions.append(e.CheckpointLoaded(**now, name="x", path="x", bits_per_char=None, epochs=0.0))
            case "skip":
                step += 1
                actions.append(e.Warned(**{**now, "step": step}, message="Skipped.", kind="not-finite"))
            case _:
                actions.append(e.Paused(**now))
    return actions


def journalled(actions: Iterable[Action], buckets: StepBuckets | None = None) -> list[e.Event]:
    """Return what the journal gets during these actions; the steps of an open bucket are missing."""
    buckets = buckets or StepBuckets()
    return list(chain.from_iterable(buckets.flush() if each is None else buckets.add(each) for each in actions))


def is_of_steps(event: Action) -> bool:
    return isinstance(event, e.StepsFinished | e.StepsThinned)


def steps_in(events: Iterable[Action]) -> list[tuple[int, float, float, float]]:
    """Return number, loss, gradient norm and learning rate of each step that was reported."""
    reports = [each for each in events if isinstance(each, e.StepsFinished)]
    return [
        (report.first_step + index, *values)
        for report in reports
        for index, values in enumerate(zip(report.train_losses, report.grad_norms, report.learning_rates, strict=True))
    ]


@given(run=runs())
def test_every_step_is_whole_or_in_one_bucket_in_order_and_all_other_events_are_unchanged(run: list[Action]) -> None:
    """Steps and time go back by a load only."""
    first = run[0].step if run[0] else 0
    stored = journalled([*run, None])
    others = [each for each in run if each and not is_of_steps(each)]
    assert [each for each in stored if not is_of_steps(each)] == others
    steps = iter(steps_in(run))
    for event in stored:
        if isinstance(event, e.StepsFinished):
            assert steps_in([event]) == [next(steps) for _ in event.train_losses]
            assert event.step < first + WHOLE_STEPS
        elif isinstance(event, e.StepsThinned):
            numbers, losses, norms, rates = zip(*(next(steps) for _ in range(event.num_steps)), strict=True)
            assert (numbers[0], numbers[-1]) == (event.first_step, event.step)
            assert (min(losses), max(losses)) == (event.least_loss, event.greatest_loss)
            assert (min(norms), max(norms)) == (event.least_grad_norm, event.greatest_grad_norm)
            assert event.mean_loss == pytest.approx(sum(losses) / len(losses), rel=1e-6)
            assert event.learning_rate == rates[-1]
            assert event.mean_grad_norm == pytest.approx(sum(norms) / len(norms), rel=1e-6)
            assert event.least_loss <= event.mean_loss <= event.greatest_loss
            width = 1 << ((event.step - first) // WHOLE_STEPS).bit_length()
            assert event.first_step // width == event.step // width
            assert event.first_step >= first + WHOLE_STEPS
    assert list(steps) == []
    for before, after in pairwise(stored):
        assert before.step <= after.step or isinstance(after, e.CheckpointLoaded)
        assert before.elapsed_seconds <= after.elapsed_seconds


@given(run=runs("steps steps steps tweet eval save pause"), place=st.floats(0, 1), num_more=st.integers(1, 99))
def test_a_run_that_is_killed_and_resumed_has_the_steps_up_to_its_checkpoint_and_those_taken_again(
    run: list[Action], place: float, num_more: int
) -> None:
    first = run[0].step if run[0] else 0
    killed_after = 1 + int(place * (len(run) - 1))
    before = run[:killed_after]
    saves = [index for index, each in enumerate(before) if each is None]
    saved = before[: saves[-1] if saves else 1]
    latest = max(each.step for each in saved if each)
    again = steps_finished(latest + 1, [2.0] * num_more)
    resumed = [run_started(step=latest, resumed_from="x/latest"), again, None]
    stored = journalled(before) + journalled(resumed, StepBuckets(first))
    remaining: list[range] = []
    for event in stored:
        if isinstance(event, e.RunStarted):
            assert all(steps[-1] <= event.step or steps[0] > event.step for steps in remaining)
            remaining = [steps for steps in remaining if steps[-1] <= event.step]
        elif isinstance(event, e.StepsFinished | e.StepsThinned):
            remaining.append(range(event.first_step, event.step + 1))
    expected = [number for number, *_ in steps_in([*saved, again])]
    assert list(chain.from_iterable(remaining)) == expected
    assert len(fold(RunView(), stored).train_losses) == len(expected)


@given(between=strategies.events())
def test_only_tweets_evaluations_measurements_and_saves_end_no_bucket(between: e.Event) -> None:
    run: list[Action] = [run_started(), steps_finished(128, [3.0, 2.0])]  # in the bucket from 128 to 159
    more = steps_finished(130, [1.0], elapsed_seconds=4.0)
    ends_none = e.TweetSampled | e.EvalFinished | e.StepTimes | e.RanksMeasured | e.CheckpointSaved
    if is_of_steps(between) or isinstance(between, e.RunStarted):
        return
    open_bucket = StepBuckets()
    journalled(run, open_bucket)
    stored = journalled([between, more, None], open_bucket)
    assert len([each for each in stored if is_of_steps(each)]) == (1 if isinstance(between, ends_none) else 2)


@pytest.mark.parametrize("began", [0, 2**14])
def test_each_doubling_of_a_run_adds_the_same_number_of_buckets_whatever_the_step_it_began_at(began: int) -> None:
    run: list[Action] = [run_started(step=began)]
    run += [steps_finished(began + first, [3.0] * 16) for first in range(0, 2**14, 16)]
    ends = [each.step + 1 - began for each in journalled(run) if isinstance(each, e.StepsThinned)]
    assert [sum(end <= 2**power for end in ends) for power in range(3, 15)] == [4 * index for index in range(12)]


def test_a_run_that_keeps_every_step_has_no_buckets_until_a_session_does_not() -> None:
    reports = [steps_finished(first, [3.0] * 10) for first in range(1, 100, 10)]
    keeping = run_started(training=TrainingConfig(keep_every_step=True))
    resumed = [run_started(step=100, resumed_from="x/latest"), steps_finished(101, [3.0] * 10), None]
    stored = journalled([keeping, *reports, *resumed])
    assert stored[:11] == [keeping, *reports]
    assert [type(each) for each in stored[11:]] == [e.RunStarted, e.StepsThinned]


def test_the_journal_of_a_long_run_leads_to_the_same_plot() -> None:
    """A plot has fewer, wider buckets: in real runs as few in relation as here."""
    assert USUAL_WHOLE_STEPS == 4 * MAX_BUCKETS
    losses = [1 + step * 29 % 64 / 64 for step in range(5000)]
    run = [run_started(), *(steps_finished(first, losses[first : first + 37]) for first in range(1, 4960, 37))]
    with mock.patch.object(journal, "WHOLE_STEPS", 256), mock.patch("tui.run.series.MAX_BUCKETS", 64):
        whole, view = fold(RunView(), run), fold(RunView(), journalled([*run, None]))
    for name in ("numbers", "low", "high", "count"):
        of_view, of_whole = (getattr(each.train_losses._buckets, name) for each in (view, whole))
        assert [*of_view] == [*of_whole]
    assert view.train_losses._buckets.total == pytest.approx(whole.train_losses._buckets.total)
    assert (view.step, view.learning_rate) == (whole.step, whole.learning_rate)

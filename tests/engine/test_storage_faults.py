"""A disk that fails at any write stops no training, tears nothing, and takes what it owes once it works again."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import commands as c
from engine import events as e
from engine import folders, journal
from engine.backoff import FIRST_SECONDS, LONGEST_SECONDS, Backoff
from engine.checkpoint import load_checkpoint
from engine.checkpoint_info import read_info
from engine.commands import Command
from engine.config import RunConfig
from engine.events import Event
from engine.folders import find_run, folder_of_run
from engine.journal import read_journal
from engine.log import log_to
from tests.engine.helpers import OnEvent, losses, names, of_type, only, run_session, tiny_config, write_corpus
from tests.engine.stream_rules import assert_keeps_the_rules
from tests.fakes import BrokenDisk, FakeClock

CODES = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO)
TROUBLES = {"disk", "journal"}


@pytest.fixture
def corpus(home: Path) -> Path:
    return write_corpus(home)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock that tries are timed by."""
    clock = FakeClock()
    monkeypatch.setattr("engine.saver.time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr("engine.session.time", SimpleNamespace(monotonic=clock))
    return clock


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> BrokenDisk:
    """The disk of all that is written while a run trains."""
    disk = BrokenDisk()
    monkeypatch.setattr(folders, "os", disk)
    monkeypatch.setattr(folders, "tempfile", disk)
    monkeypatch.setattr(journal, "os", disk)
    return disk


def breaking_after(disk: BrokenDisk, num_calls: int, for_calls: int | None, clock: FakeClock | None = None) -> OnEvent:
    """Return what breaks the disk that many calls after the run has begun, and lets a minute pass with each step."""

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.RunStarted):
            disk.breaks_at, disk.for_calls = len(disk.calls) + num_calls, for_calls
        if clock is not None and isinstance(event, e.StepsFinished):
            clock.advance(25.0)
        return ()

    return on_event


def busy_config(corpus: Path) -> RunConfig:
    """Return a short run that saves every kind of checkpoint."""
    return tiny_config(corpus, eval_every=3, save_every=3, max_steps=4)


def warnings_of(told: Iterable[Event], *kinds: str) -> list[e.Warned]:
    return [event for event in of_type(told, e.Warned) if event.kind in kinds]


def assert_nothing_partial(*, may_be_torn: bool = False) -> None:
    """Every checkpoint is whole, every line of the journal an event, and no temporary file is left."""
    run = folder_of_run("tiny")  # which may have lost the file by which it is found
    assert not [path for path in run.path.rglob("*") if path.suffix == ".tmp"]
    for path in (run.path / "checkpoints").iterdir():
        load_checkpoint(path)
    content = run.journal_path.read_bytes()
    assert content.endswith(b"\n") or not content or may_be_torn
    assert len(list(read_journal(run.journal_path))) == content.count(b"\n")


NUM_CALLS = 55
"""That a run makes once it has begun; the first is that of the first `CheckpointSaved`."""


def test_the_disk_is_broken_at_every_call(corpus: Path, disk: BrokenDisk, clock: FakeClock) -> None:
    run_session(busy_config(corpus), on_event=breaking_after(disk, 10**6, None, clock))
    assert {"open", "mkstemp", "write", "fsync", "replace"} <= set(disk.calls)
    assert disk.breaks_at is not None
    assert len(disk.calls) - (disk.breaks_at - 10**6) == NUM_CALLS


@pytest.mark.parametrize("num_calls", range(NUM_CALLS))
def test_a_disk_that_breaks_for_good_at_any_call_stops_no_training_and_harms_nothing(
    corpus: Path, disk: BrokenDisk, clock: FakeClock, num_calls: int
) -> None:
    disk.code = CODES[num_calls % len(CODES)]

    told = run_session(busy_config(corpus), on_event=breaking_after(disk, num_calls, None, clock))

    assert list(losses(told)) == list(range(1, 5))
    assert isinstance(told[-1], e.RunFinished)
    assert_keeps_the_rules(told)
    assert warnings_of(told, *TROUBLES) or num_calls >= NUM_CALLS - 2  # the last event, after which nothing is told
    assert len(warnings_of(told, "disk")) <= 2  # when it began, and at the end, which somebody waits for
    assert len(warnings_of(told, "journal")) <= 2
    assert_nothing_partial(may_be_torn=disk.code in {errno.EROFS, errno.EIO})  # where nothing at all can be changed


@pytest.mark.parametrize("num_calls", [*range(0, NUM_CALLS, 5), NUM_CALLS - 1])
@pytest.mark.parametrize("for_calls", [1, 2])
def test_after_a_disk_has_failed_for_a_while_nothing_is_missing(
    corpus: Path, disk: BrokenDisk, clock: FakeClock, num_calls: int, for_calls: int
) -> None:
    disk.code = CODES[num_calls // 5 % len(CODES)]

    told = run_session(busy_config(corpus), on_event=breaking_after(disk, num_calls, for_calls, clock))

    run = find_run("tiny")
    assert list(read_journal(run.journal_path)) == told
    assert_nothing_partial()
    assert run.config_path.is_file()
    assert {path.stem for path in (run.path / "checkpoints").iterdir()} == {
        "latest",
        "best",
        "step-3",
    }
    assert read_info(run.checkpoint_path("latest"))[0].step == 4
    best_step = [event.step for event in of_type(told, e.EvalFinished) if event.is_best][-1]
    for name, step in (("best", best_step), ("step-3", 3)):
        assert read_info(run.checkpoint_path(name))[0].step == step
    if warnings_of(told, *TROUBLES):
        assert warnings_of(told, "disk-works")
    assert_keeps_the_rules(told)


def test_one_alert_stays_until_saving_works_again(corpus: Path, disk: BrokenDisk, clock: FakeClock) -> None:
    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(61.0)
            disk.breaks_at = 0 if 3 <= event.step < 40 else None
        return ()

    told = run_session(tiny_config(corpus, max_steps=50), on_event=on_event)

    assert [(event.kind, event.step) for event in of_type(told, e.Warned)] == [
        ("disk", 3),
        ("journal", 3),
        ("disk-works", of_type(told, e.Warned)[-1].step),
    ]
    assert "No space left on device" in of_type(told, e.Warned)[0].message
    assert 40 <= of_type(told, e.Warned)[-1].step < 46  # 300 seconds at most between two tries


def seconds_until_over(backoff: Backoff, clock: FakeClock) -> float:
    began = clock.now
    while not backoff.is_over:
        clock.advance(1.0)
    return clock.now - began


def test_tries_come_ever_later_up_to_five_minutes() -> None:
    clock = FakeClock(100.0)
    backoff = Backoff(clock)
    waits = []
    for _ in range(9):
        assert backoff.is_over
        backoff.fail()
        waits.append(seconds_until_over(backoff, clock))
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert (waits[0], waits[-1]) == (FIRST_SECONDS, LONGEST_SECONDS)
    backoff.work()
    assert not backoff.is_failing
    backoff.fail()
    clock.advance(FIRST_SECONDS)
    assert backoff.is_over


def test_a_failing_disk_is_not_tried_at_every_step(corpus: Path, disk: BrokenDisk, clock: FakeClock) -> None:
    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(1.0)
            disk.breaks_at = 0
        return ()

    run_session(tiny_config(corpus, max_steps=150, eval_every=10, autosave_seconds=1.0), on_event=on_event)

    assert disk.calls.count("failed") <= 2 * 6 + 7  # after 0, 5, 15, 35, 75, 155 seconds, and at the end


def test_what_the_user_asks_for_is_tried_and_answered_at_once(corpus: Path, disk: BrokenDisk, clock: FakeClock) -> None:
    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(0.0 if event.step > 3 else 61.0)
            disk.breaks_at = 0 if 3 <= event.step < 7 else None
        return [c.SaveLatest()] if isinstance(event, e.StepsFinished) and event.step in {5, 8} else ()

    told = run_session(tiny_config(corpus), on_event=on_event)

    assert [event.step for event in warnings_of(told, "disk")] == [3, 5]
    assert [event.step for event in of_type(told, e.CheckpointSaved)] == [0, 1, 2, 8, 12]
    assert only(warnings_of(told, "disk-works"), e.Warned).step == 8


def test_a_paused_run_tries_again_too(corpus: Path, disk: BrokenDisk, clock: FakeClock) -> None:
    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished) and event.step == 3:
            clock.advance(61.0)
            disk.breaks_at = 0
        if isinstance(event, e.Warned) and event.kind == "disk":
            disk.breaks_at = None
            return [c.Pause()]
        if isinstance(event, e.Paused):
            clock.advance(FIRST_SECONDS)
        return [c.Resume()] if isinstance(event, e.Warned) and event.kind == "disk-works" else ()

    told = run_session(tiny_config(corpus), on_event=on_event)

    assert names(told).index("Paused") < told.index(warnings_of(told, "disk-works")[0]) < names(told).index("Resumed")
    assert list(read_journal(find_run("tiny").journal_path)) == told


def test_what_waits_for_the_journal_is_bounded_and_what_is_lost_is_said(
    corpus: Path, disk: BrokenDisk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.backlog.MAX_WAITING_BYTES", 2000)

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(61.0)
            disk.breaks_at = 0 if 3 <= event.step < 40 else None
        return ()

    told = run_session(tiny_config(corpus, max_steps=50), on_event=on_event)

    journalled = list(read_journal(find_run("tiny").journal_path))
    [gap] = [event for event in of_type(journalled, e.Warned) if "lacks" in event.message and event.kind == ""]
    place = journalled.index(gap)
    lost = [event for event in told if event not in journalled]
    assert len(lost) == len(told) - len(journalled) + 1 > 10
    assert f"lacks {len(lost)} events from step {lost[0].step} to {lost[-1].step}" in gap.message
    assert journalled[:place] + journalled[place + 1 :] == [event for event in told if event in journalled]
    assert any("older ones will be missing" in event.message for event in warnings_of(told, "journal"))
    assert gap.message in warnings_of(told, "disk-works")[0].message
    assert_nothing_partial()


def test_what_the_journal_lacks_at_the_end_is_said(corpus: Path, disk: BrokenDisk, clock: FakeClock) -> None:
    told = run_session(tiny_config(corpus), on_event=breaking_after(disk, 0, None, clock))

    assert "The journal lacks the last" in warnings_of(told, "journal")[-1].message
    assert isinstance(told[-1], e.RunFinished)


def test_more_checkpoints_than_are_kept_in_memory_are_given_up_and_named(
    corpus: Path, disk: BrokenDisk, clock: FakeClock
) -> None:
    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(61.0)
            disk.breaks_at = 0 if 1 <= event.step < 10 else None
        return ()

    told = run_session(tiny_config(corpus, save_every=2, max_steps=20), on_event=on_event)

    checkpoints = {path.stem for path in (find_run("tiny").path / "checkpoints").iterdir()}
    lost = [step for step in range(2, 21, 2) if f"step-{step}" not in checkpoints]
    assert lost
    assert (
        "Not kept for so long: " + ", ".join(f"step-{step}" for step in lost)
        in warnings_of(told, "disk-works")[0].message
    )


def test_a_real_limit_on_the_size_of_files_is_survived(corpus: Path, clock: FakeClock) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(61.0)
            size = find_run("tiny").journal_path.stat().st_size
            if event.step == 3:
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
            elif event.step == 9:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return ()

    try:
        told = run_session(tiny_config(corpus, max_steps=20), on_event=on_event)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert "File too large" in warnings_of(told, *TROUBLES)[0].message
    assert warnings_of(told, "disk-works")
    assert list(read_journal(find_run("tiny").journal_path)) == told
    assert_nothing_partial()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the disk that is always full")
def test_a_log_on_a_full_disk_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import logging

    (tmp_path / "full.log").symlink_to("/dev/full")
    with log_to(tmp_path / "full.log", "some.package"):
        logging.getLogger("some.package").error("of what nobody will know")
    assert capfd.readouterr() == ("", "")


def test_the_stand_in_leaves_all_else_to_the_system(tmp_path: Path) -> None:
    disk = BrokenDisk(breaks_at=0)
    assert disk.path is os.path
    descriptor, name = os.open(tmp_path, os.O_RDONLY), "x"
    os.close(descriptor)
    with pytest.raises(OSError, match=name if disk.breaks_at else "No space left"):
        disk.mkstemp(dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_stop_that_would_lose_steps_is_refused_to_one_who_can_be_asked_and_followed_when_asked_again(
    corpus: Path, disk: BrokenDisk
) -> None:
    def ask_twice(event: Event) -> Iterable[Command]:
        if isinstance(event, e.StepsFinished) and event.step == 3:
            disk.breaks_at, disk.for_calls = len(disk.calls), None
            return [c.Stop(unless_unsaved=True)]
        if isinstance(event, e.CommandRefused):
            return [c.Stop(reason="all the same")]
        return ()

    told = run_session(tiny_config(corpus), on_event=ask_twice)

    refused = only(told, e.CommandRefused)
    assert (refused.command, refused.detail) == (
        "Stop",
        "Only what was learned up to step 0 is saved: to leave now loses 3 steps.",
    )
    assert only(told, e.RunFinished).reason == "all the same"


def test_a_stop_of_one_who_can_be_asked_saves_and_ends_where_the_disk_works(corpus: Path) -> None:
    told = run_session(tiny_config(corpus), {5: [c.Stop(unless_unsaved=True)]})
    assert only(told, e.RunFinished).step == 5
    assert read_info(find_run("tiny").checkpoint_path("latest"))[0].step == 5

"""A failing disk or a deleted run folder stops no training, leaves no partial file, and is reported once."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.metadata import read_info
from engine.errors import StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage import atomic_write, journal
from engine.storage.file_lock import is_locked
from engine.storage.folders import RunFolder, find_run, folder_of_run
from engine.storage.journal import Journal
from engine.storage.journal_reader import read_journal
from engine.storage.run_log import log_to, log_traceback
from tests.engine.helpers import (
    OnEvent,
    Script,
    losses,
    of_type,
    only,
    resume_config,
    run_session,
    stop_at,
    tiny_config,
)
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import BrokenDisk, FakeClock

STEP_SECONDS = 25.0
"""Seconds per step, so that the autosave, every minute, is due after three steps."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> BrokenDisk:
    """Replace the file system functions of a training run."""
    disk = BrokenDisk()
    monkeypatch.setattr(atomic_write, "os", disk)
    monkeypatch.setattr(journal, "os", disk)
    monkeypatch.setattr(Path, "stat", lambda path, **how: disk.stat(path, **how))  # noqa: PLW0108 - a partial binds no self
    return disk


def broken(disk: BrokenDisk, clock: FakeClock, first_step: int, last_step: int) -> OnEvent:
    """Return a callback that breaks the disk at `first_step` and repairs it at `last_step`."""

    def on_event(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.StepsFinished):
            clock.advance(STEP_SECONDS)
            disk.breaks_at = 0 if first_step <= event.step < last_step else None
        return ()

    return on_event


def disk_warnings(emitted: Iterable[e.Event]) -> list[tuple[str, int]]:
    """Return kind and step of each disk warning."""
    return [(event.kind, event.step) for event in of_type(emitted, e.Warned) if event.kind in {"disk", "disk-works"}]


def assert_nothing_partial(*, may_be_torn: bool = False) -> None:
    """Assert that checkpoints are complete, journal lines are events, and no temporary file is left."""
    run = folder_of_run("tiny")
    assert not list(run.path.rglob("*.tmp"))
    for path in (run.path / "checkpoints").glob("*"):
        load_checkpoint(path)
    content = run.journal_path.read_bytes()
    assert content.endswith(b"\n") or not content or may_be_torn
    assert len(list(read_journal(run.journal_path))) == content.count(b"\n")


@pytest.mark.parametrize("num_calls", range(0, 60, 6))
@pytest.mark.parametrize("for_calls", [None, 2])
def test_a_disk_failure_at_any_call_stops_no_training_and_unsaved_files_are_reported(
    corpus: Path, disk: BrokenDisk, clock: FakeClock, num_calls: int, for_calls: int | None
) -> None:
    disk.code = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO)[num_calls // 6 % 4]

    def on_event(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.RunStarted):
            disk.breaks_at, disk.for_calls = len(disk.calls) + num_calls, for_calls
        if isinstance(event, e.StepsFinished):
            clock.advance(STEP_SECONDS)
        return ()

    emitted = run_session(tiny_config(corpus, eval_every=3, save_every=3, max_steps=6), None, on_event, clock)

    assert list(losses(emitted)) == list(range(1, 7))
    assert isinstance(emitted[-1], e.RunFinished)
    assert_valid_stream(emitted)
    disk.breaks_at = None
    assert_nothing_partial(may_be_torn=disk.code in {errno.EROFS, errno.EIO})  # not even a torn line can be removed
    run = folder_of_run("tiny")
    saved = [event.step for event in of_type(emitted, e.CheckpointSaved) if event.name == "latest"]
    is_consistent = saved[-1:] == [6] and list(read_journal(run.journal_path))[:-1] == emitted[:-1]
    assert is_consistent or disk_warnings(emitted)[-1] == ("disk", 6)
    if is_consistent and for_calls and disk_warnings(emitted):
        best_step = [event.step for event in of_type(emitted, e.EvalFinished) if event.is_best][-1]
        assert disk_warnings(emitted)[-1][0] == "disk-works"
        assert read_info(run.checkpoint_path("best"))[0].step == best_step
        assert run.config_path.is_file()


def test_one_disk_warning_is_followed_by_one_recovery_and_saving_is_retried_at_each_autosave(
    corpus: Path, disk: BrokenDisk, clock: FakeClock
) -> None:
    config = tiny_config(corpus, eval_every=4, save_every=7, max_steps=20)

    emitted = run_session(config, None, broken(disk, clock, 4, 14), clock)

    warnings = of_type(emitted, e.Warned)
    assert disk_warnings(emitted) == [("disk", 4), ("disk-works", 15)]
    assert warnings[0].message.startswith("No space left on device: not saved, tried again at the next autosave.")
    assert "Free some space" in warnings[0].message
    assert warnings[1].message == "Saving works again. Not saved: step-7, step-14."
    assert disk.calls.count("failed") <= 2 * (1 + 4)  # the journal's, and at steps 4, 6, 9 and 12
    assert list(read_journal(find_run("tiny").journal_path)) == emitted
    best_step = [event.step for event in of_type(emitted, e.EvalFinished) if event.is_best and event.step < 14][-1]
    saved = {event.name: event.step for event in of_type(emitted[: emitted.index(warnings[1])], e.CheckpointSaved)}
    assert saved["latest"] == 15
    assert best_step in {8, 12}
    assert saved["best"] == 15  # emitted once it is in place: the weights are those of `best_step`
    assert_nothing_partial()


def test_at_its_end_a_run_lists_all_checkpoints_that_it_loses(corpus: Path, disk: BrokenDisk, clock: FakeClock) -> None:
    disk.code = errno.EIO

    emitted = run_session(
        tiny_config(corpus, eval_every=5, save_every=4, max_steps=10), None, broken(disk, clock, 3, 99), clock
    )

    last = of_type(emitted, e.Warned)[-2:]
    lost = [warned.message for warned in last if "the run ends without" in warned.message]
    assert [message.partition(". ")[0] for message in lost] == [
        "Input/output error: the run ends without latest, best, step-4, step-8"
    ]
    assert not any("next autosave" in warned.message for warned in last)


def test_a_checkpoint_is_not_loaded_if_the_current_weights_can_not_be_saved(
    corpus: Path, disk: BrokenDisk, clock: FakeClock
) -> None:
    sent = {5: [c.LoadCheckpoint(name="tiny/latest")]}

    emitted = run_session(tiny_config(corpus), sent, broken(disk, clock, 3, 7), clock)

    refused = only(emitted, e.CommandRefused)
    assert (refused.title, refused.step) == (StorageError.title, 5)
    assert "nothing was loaded" in refused.detail
    assert not of_type(emitted, e.CheckpointLoaded)
    assert losses(emitted) == losses(run_session(tiny_config(corpus, run_name="undisturbed")))


def test_steps_since_a_load_count_as_unsaved(corpus: Path, disk: BrokenDisk, clock: FakeClock) -> None:
    def on_event(event: e.Event) -> Iterable[c.Command]:
        match event:
            case e.CheckpointLoaded():
                disk.breaks_at = 0
            case e.StepsFinished(step=7):
                return [c.Stop(unless_unsaved=True)]
            case e.CommandRefused():
                return [c.Stop()]
        return ()

    script: Script = {4: [c.SaveCheckpoint(name="four")], 6: [c.SaveLatest(), c.LoadCheckpoint(name="four")]}
    emitted = run_session(tiny_config(corpus), script, on_event, clock)

    assert only(emitted, e.CommandRefused).detail == (
        "Nothing is saved since the checkpoint of step 4 was loaded: leaving now loses 3 steps."
    )


def test_the_queue_of_the_journal_is_bounded_and_one_event_reports_how_many_are_missing(
    corpus: Path, disk: BrokenDisk, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MAX_WAITING_BYTES", 2000)

    emitted = run_session(tiny_config(corpus, max_steps=40), None, broken(disk, clock, 3, 30), clock)

    journalled = list(read_journal(find_run("tiny").journal_path))
    missing = [event for event in emitted if event not in journalled]
    assert [event for event in emitted if event in journalled] == journalled
    assert len(missing) > 10
    [works] = [event for event in of_type(journalled, e.Warned) if event.kind == "disk-works"]
    assert works.message == f"Saving works again. The journal lacks {len(missing)} events."


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_stop_that_would_lose_steps_is_refused_once_with_the_last_saved_step(
    corpus: Path, disk: BrokenDisk, is_resumed: bool
) -> None:
    def ask_twice(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.RunStarted):
            disk.breaks_at, disk.code = len(disk.calls), errno.EACCES
        if isinstance(event, e.StepsFinished) and event.step == 6:
            return [c.Stop(unless_unsaved=True)]
        if isinstance(event, e.CommandRefused):
            return [c.Stop(reason="all the same")]
        return ()

    if is_resumed:
        run_session(tiny_config(corpus), stop_at(3))
    emitted = run_session(resume_config() if is_resumed else tiny_config(corpus), on_event=ask_twice)

    refused = only(emitted, e.CommandRefused)
    assert refused.detail == (
        "Only the steps up to 3 are saved: leaving now loses 3 steps."
        if is_resumed
        else "Nothing is saved: leaving now loses 6 steps."
    )
    assert refused.hint.startswith("Change the permissions")
    assert only(emitted, e.RunFinished).reason == "all the same"


# The run's folder -----------------------------------------------------------------------------------------------------


def deleted(run: RunFolder) -> None:
    shutil.rmtree(run.path)


def without_journal(run: RunFolder) -> None:
    run.journal_path.unlink()


def at_step_three(happens: Callable[[RunFolder], object]) -> OnEvent:
    """Return a callback that calls `happens` with the run's folder, and saves two steps later."""

    def on_event(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.StepsFinished) and event.step == 3:
            happens(folder_of_run("tiny"))
        return [c.SaveLatest()] if isinstance(event, e.StepsFinished) and event.step == 5 else ()

    return on_event


@pytest.mark.parametrize(("happens", "what"), [(deleted, "folder"), (without_journal, "journal")])
def test_a_deleted_folder_or_journal_is_recreated_at_the_next_save_and_the_run_can_be_resumed(
    corpus: Path, happens: Callable[[RunFolder], None], what: str
) -> None:
    undisturbed = losses(run_session(tiny_config(corpus, run_name="undisturbed")))
    emitted = run_session(tiny_config(corpus, max_steps=8), on_event=at_step_three(happens))

    assert f"The {what} of the run tiny was deleted; it was created again" in only(emitted, e.Warned).message
    run = find_run("tiny")
    journalled = list(read_journal(run.journal_path))
    assert isinstance(journalled[0], e.RunStarted)
    assert journalled[0].step == 5
    assert journalled[1:] == emitted[-len(journalled) + 1 :]
    assert not is_locked(run.journal_path)
    resumed = run_session(resume_config("tiny", max_steps=12))
    assert {**losses(emitted), **losses(resumed)} == undisturbed


def test_a_folder_that_belongs_to_another_run_now_is_not_written(corpus: Path) -> None:
    def taken(run: RunFolder) -> None:
        shutil.rmtree(run.path)
        run.path.mkdir()
        Journal(run.journal_path).close()

    emitted = run_session(tiny_config(corpus, max_steps=8), on_event=at_step_three(taken))

    assert list(losses(emitted)) == list(range(1, 9))
    assert "events.jsonl belongs to another run now" in of_type(emitted, e.Warned)[0].message
    assert disk_warnings(emitted)[-1] == ("disk", 8)
    other = folder_of_run("tiny")
    assert {path.name for path in other.path.iterdir()} <= {"events.jsonl", "tweetgen.log"}
    assert other.journal_path.read_bytes() == b""


def test_a_new_run_that_can_not_write_its_log_leaves_its_name_free(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise StorageError(f"{path} can't be written.")

    monkeypatch.setattr("engine.session.session.log_to", full)
    assert only(run_session(tiny_config(corpus)), e.RunFailed).title == StorageError.title
    assert not folder_of_run("tiny").path.exists()


# The log --------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the disk that is always full")
def test_a_log_that_can_not_be_written_prints_nothing_and_reports_the_traceback_as_lost(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full.log").symlink_to("/dev/full")
    with log_to(tmp_path / "full.log", "some.package") as log:
        logging.getLogger("some.package").error("an error that can not be logged")
        assert "The traceback is lost:" in log.traceback_location
    where = log_traceback(ZeroDivisionError(), "it ended", tmp_path / "no folder" / "x.log", "some.package")
    assert where.startswith("The traceback is lost:")
    assert "No such file" in where
    where = log_traceback(ZeroDivisionError("oh no"), "it ended", tmp_path / "x.log", "some.package")
    assert where == f"The traceback is in {tmp_path / 'x.log'}."
    assert "ZeroDivisionError: oh no" in (tmp_path / "x.log").read_text()
    assert capfd.readouterr() == ("", "")

"""A failing disk or a deleted run folder stops no training, leaves no partial file, and is reported once."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest.mock import Mock

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
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
    Once,
    Script,
    info_of,
    losses,
    of_type,
    only,
    plain_losses,
    resume_config,
    run_session,
    stop_at,
    tiny_config,
)
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import BrokenDisk

STEP_SECONDS = {e.StepsFinished: 25.0}
"""Seconds per step, so that the autosave, every minute, is due after three steps."""


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> BrokenDisk:
    """Replace the file system functions of a training run."""
    disk = BrokenDisk()
    monkeypatch.setattr(atomic_write, "os", disk)
    monkeypatch.setattr(journal, "os", disk)
    monkeypatch.setattr(Path, "stat", lambda path, **how: disk.stat(path, **how))  # noqa: PLW0108 - a partial binds no self
    return disk


def broken(disk: BrokenDisk, first_step: int, last_step: int) -> Script:
    """Return the script that breaks the disk at `first_step` and repairs it at `last_step`."""
    return {
        first_step: [lambda: setattr(disk, "breaks_at", 0)],
        last_step: [lambda: setattr(disk, "breaks_at", None)],
    }


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
def test_any_disk_failure_stops_no_training(
    corpus: Path, disk: BrokenDisk, num_calls: int, for_calls: int | None
) -> None:
    def break_soon() -> None:
        disk.breaks_at, disk.for_calls = len(disk.calls) + num_calls, for_calls

    disk.code = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO)[num_calls // 6 % 4]
    config = tiny_config(corpus, eval_every=3, save_every=3, max_steps=6)
    emitted = run_session(config, {0: [break_soon]}, seconds=STEP_SECONDS)

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
        assert info_of("tiny", "best").step == best_step
        assert run.config_path.is_file()


def test_one_disk_warning_precedes_one_recovery_and_each_autosave_tries_again(corpus: Path, disk: BrokenDisk) -> None:
    config = tiny_config(corpus, eval_every=4, save_every=7, max_steps=20)
    emitted = run_session(config, broken(disk, 4, 14), seconds=STEP_SECONDS)

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


def test_at_its_end_a_run_lists_all_checkpoints_that_it_loses(corpus: Path, disk: BrokenDisk) -> None:
    disk.code = errno.EIO
    config = tiny_config(corpus, eval_every=5, save_every=4, max_steps=10)
    last = of_type(run_session(config, broken(disk, 3, 99), seconds=STEP_SECONDS), e.Warned)[-2:]
    lost = [warned.message for warned in last if "the run ends without" in warned.message]
    assert [message.partition(". ")[0] for message in lost] == [
        "Input/output error: the run ends without latest, best, step-4, step-8"
    ]
    assert not any("next autosave" in warned.message for warned in last)


def test_a_checkpoint_is_not_loaded_if_the_current_weights_can_not_be_saved(corpus: Path, disk: BrokenDisk) -> None:
    undisturbed = plain_losses()
    sent: Script = {**broken(disk, 3, 7), 5: [c.LoadCheckpoint(name="tiny/latest")]}
    emitted = run_session(tiny_config(corpus), sent, seconds=STEP_SECONDS)
    refused = only(emitted, e.CommandRefused)
    assert (refused.title, refused.step) == (StorageError.title, 5)
    assert "nothing was loaded" in refused.detail
    assert not of_type(emitted, e.CheckpointLoaded)
    assert losses(emitted) == undisturbed


def test_steps_since_a_load_count_as_unsaved(corpus: Path, disk: BrokenDisk) -> None:
    script: Script = {
        4: [c.SaveCheckpoint(name="four")],
        6: [c.SaveLatest(), c.LoadCheckpoint(name="four")],
        7: [c.Stop(unless_unsaved=True)],
    }
    once: Once = {e.CheckpointLoaded: [lambda: setattr(disk, "breaks_at", 0)], e.CommandRefused: [c.Stop()]}
    emitted = run_session(tiny_config(corpus), script, once=once)
    assert only(emitted, e.CommandRefused).detail == (
        "Nothing is saved since the checkpoint of step 4 was loaded: leaving now loses 3 steps."
    )


def test_lacking_events_of_the_journal_are_counted(
    corpus: Path, disk: BrokenDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MAX_WAITING_BYTES", 2000)
    emitted = run_session(tiny_config(corpus, max_steps=40), broken(disk, 3, 30), seconds=STEP_SECONDS)
    journalled = list(read_journal(find_run("tiny").journal_path))
    missing = [event for event in emitted if event not in journalled]
    assert [event for event in emitted if event in journalled] == journalled
    assert len(missing) > 10
    [works] = [event for event in of_type(journalled, e.Warned) if event.kind == "disk-works"]
    assert works.message == f"Saving works again. The journal lacks {len(missing)} events."


@pytest.mark.parametrize(
    ("is_resumed", "expected"),
    [
        (False, "Nothing is saved: leaving now loses 6 steps."),
        (True, "Only the steps up to 3 are saved: leaving now loses 3 steps."),
    ],
)
def test_a_stop_that_would_lose_steps_is_refused_once_with_the_last_saved_step(
    corpus: Path, disk: BrokenDisk, is_resumed: bool, expected: str
) -> None:
    def break_now() -> None:
        disk.breaks_at, disk.code = len(disk.calls), errno.EACCES

    if is_resumed:
        run_session(tiny_config(corpus), stop_at(3))
    once: Once = {e.RunStarted: [break_now], e.CommandRefused: [c.Stop(reason="all the same")]}
    config = resume_config() if is_resumed else tiny_config(corpus)
    emitted = run_session(config, {6: [c.Stop(unless_unsaved=True)]}, once=once)
    refused = only(emitted, e.CommandRefused)
    assert refused.detail == expected
    assert refused.hint.startswith("Change the permissions")
    assert only(emitted, e.RunFinished).reason == "all the same"


# The run's folder -----------------------------------------------------------------------------------------------------


def at_step_three(happens: Callable[[RunFolder], object]) -> Script:
    """Return the script that calls `happens` with the run's folder, and saves two steps later."""
    return {3: [lambda: happens(folder_of_run("tiny"))], 5: [c.SaveLatest()]}


@pytest.mark.parametrize(
    ("happens", "what"),
    [(lambda run: shutil.rmtree(run.path), "folder"), (lambda run: run.journal_path.unlink(), "journal")],
    ids=["folder", "journal"],
)
def test_a_deleted_folder_or_journal_is_created_again(
    corpus: Path, happens: Callable[[RunFolder], None], what: str
) -> None:
    emitted = run_session(tiny_config(corpus, max_steps=8), at_step_three(happens))
    assert f"The {what} of the run tiny was deleted; it was created again" in only(emitted, e.Warned).message
    run = find_run("tiny")
    journalled = list(read_journal(run.journal_path))
    assert isinstance(journalled[0], e.RunStarted)
    assert journalled[0].step == 5
    assert journalled[1:] == emitted[-len(journalled) + 1 :]
    assert not is_locked(run.journal_path)
    resumed = run_session(resume_config("tiny", max_steps=12))
    assert {**losses(emitted), **losses(resumed)} == plain_losses()


def test_a_folder_that_belongs_to_another_run_now_is_not_written(corpus: Path) -> None:
    def taken(run: RunFolder) -> None:
        shutil.rmtree(run.path)
        run.path.mkdir()
        Journal(run.journal_path).close()

    emitted = run_session(tiny_config(corpus, max_steps=8), at_step_three(taken))
    assert list(losses(emitted)) == list(range(1, 9))
    assert "events.jsonl belongs to another run now" in of_type(emitted, e.Warned)[0].message
    assert disk_warnings(emitted)[-1] == ("disk", 8)
    other = folder_of_run("tiny")
    assert {path.name for path in other.path.iterdir()} <= {"events.jsonl", "tweetgen.log"}
    assert other.journal_path.read_bytes() == b""


def test_a_run_that_can_not_write_its_log_leaves_its_name_free(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.session.session.log_to", Mock(side_effect=StorageError("can't be written.")))
    assert only(run_session(tiny_config(corpus)), e.RunFailed).title == StorageError.title
    assert not folder_of_run("tiny").path.exists()


# The log --------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the disk that is always full")
def test_an_unwritable_log_prints_nothing_and_is_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
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

"""A failing disk or deleted folder stops no training; any other exception ends a run with one event, to be resumed."""

from __future__ import annotations

import errno
import functools
import logging
import queue
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock
from unittest.mock import Mock

import pytest
from syrupy.assertion import SnapshotAssertion
from torch import Tensor

from engine.checkpoints.checkpoint import load_checkpoint, write_checkpoint
from engine.config.run import Setting
from engine.errors import StorageError, exit_code_for
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.session import TrainingSession
from engine.storage import files, journal
from engine.storage.files import is_locked
from engine.storage.folders import RunFolder, find_run, folder_of_run
from engine.storage.journal import Journal, read_journal
from engine.storage.log import log_to, log_traceback
from tests.engine import helpers as h
from tests.engine.session.recorded import lines_of
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import BrokenDisk, FakeClock

STEP_SECONDS = {e.StepsFinished: 25.0}
"""Seconds per step, so that the autosave, every minute, is due after three steps."""


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> BrokenDisk:
    """Replace the file system functions of a training run."""
    disk = BrokenDisk()
    monkeypatch.setattr(files, "os", disk)
    monkeypatch.setattr(journal, "os", disk)
    monkeypatch.setattr(Path, "stat", lambda path, **how: disk.stat(path, **how))  # noqa: PLW0108 - a partial binds no self
    return disk


def broken(disk: BrokenDisk, first_step: int, last_step: int) -> h.Script:
    """Return the script that breaks the disk at `first_step` and repairs it at `last_step`."""
    fails, works = (functools.partial(setattr, disk, "breaks_at", number) for number in (0, None))
    return {first_step: [fails], last_step: [works]}


def disk_warnings(emitted: Iterable[e.Event]) -> list[tuple[str, int]]:
    """Return kind and step of each disk warning."""
    return [(event.kind, event.step) for event in h.of_type(emitted, e.Warned) if event.kind in {"disk", "disk-works"}]


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
def test_no_disk_failure_stops_the_run(corpus: Path, disk: BrokenDisk, num_calls: int, for_calls: int | None) -> None:
    def break_soon() -> None:
        disk.breaks_at, disk.for_calls = len(disk.calls) + num_calls, for_calls

    disk.code = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO)[num_calls // 6 % 4]
    emitted = h.run_tiny(corpus, {0: [break_soon]}, eval_every=3, save_every=3, max_steps=6, seconds=STEP_SECONDS)
    assert list(h.losses(emitted)) == list(range(1, 7))
    assert isinstance(emitted[-1], e.RunFinished)
    disk.breaks_at = None
    assert_nothing_partial(may_be_torn=disk.code in {errno.EROFS, errno.EIO})  # not even a torn line can be removed
    run = folder_of_run("tiny")
    saved = [event.step for event in h.of_type(emitted, e.CheckpointSaved) if event.name == "latest"]
    is_consistent = saved[-1:] == [6] and h.journalled()[:-1] == emitted[:-1]
    assert is_consistent or disk_warnings(emitted)[-1] == ("disk", 6)
    if is_consistent and for_calls and disk_warnings(emitted):
        best_step = [event.step for event in h.of_type(emitted, e.EvalFinished) if event.is_best][-1]
        assert disk_warnings(emitted)[-1][0] == "disk-works"
        assert h.info_of("tiny", "best").step == best_step
        assert run.config_path.is_file()


def test_one_disk_warning_precedes_one_recovery_and_each_autosave_tries_again(corpus: Path, disk: BrokenDisk) -> None:
    emitted = h.run_tiny(corpus, broken(disk, 4, 14), eval_every=4, save_every=7, max_steps=20, seconds=STEP_SECONDS)
    warnings = h.of_type(emitted, e.Warned)
    assert disk_warnings(emitted) == [("disk", 4), ("disk-works", 15)]
    assert warnings[0].message.startswith("No space left on device: not saved, tried again at the next autosave.")
    assert "Free some space" in warnings[0].message
    assert warnings[1].message == "Saving works again. Not saved: step-7, step-14."
    assert disk.calls.count("failed") <= 2 * (1 + 4)  # the journal's, and at steps 4, 6, 9 and 12
    assert h.journalled() == emitted
    best_step = [event.step for event in h.of_type(emitted, e.EvalFinished) if event.is_best and event.step < 14][-1]
    saved = {event.name: event.step for event in h.of_type(emitted[: emitted.index(warnings[1])], e.CheckpointSaved)}
    assert saved["latest"] == 15
    assert best_step in {8, 12}
    assert saved["best"] == 15  # emitted once it is in place: the weights are those of `best_step`
    assert_nothing_partial()


BLOCK_BEST: h.Script = {1: [lambda: folder_of_run("tiny").checkpoint_path("best").mkdir()]}
EARLY_BESTS: dict[str, Setting] = {"eval_every": 4, "learning_rate": 0.02}


def unblock_best() -> None:
    folder_of_run("tiny").checkpoint_path("best").rmdir()


def blocked_best(*, unless_unsaved: bool) -> dict[str, Any]:
    """Return a run whose best can't be written, that saves at steps, when asked, and when it is stopped."""
    sent: h.Script = {7: [c.SaveLatest()], 10: [c.Stop(unless_unsaved=unless_unsaved)]}
    return {"script": {**BLOCK_BEST, **sent}, "save_every": 3, **EARLY_BESTS}


FOUR, LOAD_FOUR = c.SaveCheckpoint(name="four"), c.LoadCheckpoint(name="four")
FAULTS: dict[str, Callable[[BrokenDisk], dict[str, Any]]] = {
    "at its end a run lists all checkpoints that it loses": lambda disk: {
        "script": broken(disk, 3, 99),
        "eval_every": 5,
        "save_every": 4,
        "max_steps": 10,
        "seconds": STEP_SECONDS,
    },
    "a best that can not be written delays no other save and is named": lambda _: blocked_best(unless_unsaved=False),
    "so it is by a stop unless unsaved, which is not refused": lambda _: blocked_best(unless_unsaved=True),
    "a best that could not be written is written before the next save": lambda _: {
        "script": {**BLOCK_BEST, 5: [c.SaveLatest()], 6: [unblock_best, c.SaveLatest()]},
        **EARLY_BESTS,
    },
    "a disk that fails is reported beside a best that can not be written": lambda disk: {
        "script": {**BLOCK_BEST, **broken(disk, 6, 9)},
        "max_steps": 10,
        "seconds": STEP_SECONDS,
        **EARLY_BESTS,
    },
    "steps since a load count as unsaved": lambda disk: {
        "script": {4: [FOUR], 6: [c.SaveLatest(), LOAD_FOUR], 7: [c.Stop(unless_unsaved=True)]},
        "once": {e.CheckpointLoaded: [lambda: setattr(disk, "breaks_at", 0)], e.CommandRefused: [c.Stop()]},
    },
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_on_a_failing_disk_is_as_recorded(
    corpus: Path, disk: BrokenDisk, name: str, snapshot: SnapshotAssertion
) -> None:
    disk.code = errno.EIO if "lists" in name else errno.ENOSPC
    emitted = h.run_tiny(corpus, **FAULTS[name](disk))
    disk.breaks_at = None
    assert lines_of(emitted) == snapshot


def test_a_best_that_could_not_be_written_is_tried_alone_while_a_run_is_paused(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers() -> Iterator[c.Command | None]:
        for number in range(12):
            clock.advance(30.0)
            if number == 6:
                unblock_best()
            yield None
        yield c.Stop()

    def noted(path: Path, *rest: Any) -> None:
        tried.append(path.stem)
        write_checkpoint(path, *rest)

    clock, tried = FakeClock(), list[str]()
    monkeypatch.setattr("engine.checkpoints.writer.write_checkpoint", noted)
    inbox = h.AnsweringInbox([])
    once: h.Once = {e.Paused: [lambda: setattr(inbox, "unread", answers())]}
    emitted = h.run_tiny(corpus, {**BLOCK_BEST, 5: [c.Pause()]}, inbox=inbox, once=once, clock=clock, **EARLY_BESTS)
    assert tried == ["latest", "best", "best", "best", "best", "best", "latest"]
    saved = [(event.name, event.weights_step) for event in h.of_type(emitted, e.CheckpointSaved)]
    assert saved == [("latest", 0), ("best", 4), ("latest", 5)]
    assert [kind for kind, _ in disk_warnings(emitted)] == ["disk", "disk-works"]


def test_a_best_that_could_not_be_written_is_tried_though_the_journal_fails(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_journal() -> None:
        monkeypatch.setattr(Journal, "append", Mock(side_effect=StorageError("The journal can't be written.")))

    script: h.Script = {**BLOCK_BEST, 5: [break_journal, c.SaveLatest()], 6: [unblock_best, c.SaveLatest()]}
    emitted = h.run_tiny(corpus, script, **EARLY_BESTS, max_steps=7)
    saved = [(event.name, event.step, event.weights_step) for event in h.of_type(emitted, e.CheckpointSaved)]
    assert saved[1:4] == [("latest", 5, 5), ("best", 6, 4), ("latest", 6, 6)]


def test_a_checkpoint_is_not_loaded_if_the_current_weights_can_not_be_saved(corpus: Path, disk: BrokenDisk) -> None:
    undisturbed = h.plain_losses()
    sent: h.Script = {**broken(disk, 3, 7), 5: [c.LoadCheckpoint(name="tiny/latest")]}
    emitted = h.run_tiny(corpus, sent, seconds=STEP_SECONDS)
    refused = h.only(emitted, e.CommandRefused)
    assert (refused.title, refused.step) == (StorageError.title, 5)
    assert "nothing was loaded" in refused.detail
    assert not h.of_type(emitted, e.CheckpointLoaded)
    assert h.losses(emitted) == undisturbed


@mock.patch.object(journal, "MAX_WAITING_BYTES", 2000)
def test_lacking_events_of_the_journal_are_counted(corpus: Path, disk: BrokenDisk) -> None:
    emitted = h.run_tiny(corpus, broken(disk, 3, 30), max_steps=40, seconds=STEP_SECONDS)
    journalled = h.journalled()
    missing = [event for event in emitted if event not in journalled]
    assert [event for event in emitted if event in journalled] == journalled
    assert len(missing) > 10
    [works] = [event for event in h.of_type(journalled, e.Warned) if event.kind == "disk-works"]
    assert works.message == f"Saving works again. The journal lacks {len(missing)} events."


def test_a_stop_that_would_lose_steps_is_refused_once_with_the_last_saved_step(corpus: Path, disk: BrokenDisk) -> None:
    def break_now() -> None:
        disk.breaks_at, disk.code = len(disk.calls), errno.EACCES

    h.run_tiny(corpus, h.stop_at(3), run_name="saved")
    for config, expected in (
        (h.tiny_config(corpus), "Nothing is saved: leaving now loses 6 steps."),
        (h.resume_config("saved"), "Only the steps up to 3 are saved: leaving now loses 3 steps."),
    ):
        disk.breaks_at = None
        once: h.Once = {e.RunStarted: [break_now], e.CommandRefused: [c.Stop(reason="all the same")]}
        emitted = h.run_session(config, {6: [c.Stop(unless_unsaved=True)]}, once=once)
        refused = h.only(emitted, e.CommandRefused)
        assert refused.detail == expected
        assert refused.hint.startswith("Change the permissions")
        assert h.only(emitted, e.RunFinished).reason == "all the same"


# The run's folder -----------------------------------------------------------------------------------------------------
def at_step_three(happens: Callable[[RunFolder], object]) -> h.Script:
    """Return the script that calls `happens` with the run's folder, and saves two steps later."""
    return {3: [lambda: happens(folder_of_run("tiny"))], 5: [c.SaveLatest()]}


DELETIONS: dict[str, Callable[[RunFolder], None]] = {
    "folder": lambda run: shutil.rmtree(run.path),
    "journal": lambda run: run.journal_path.unlink(),
}


@pytest.mark.parametrize("what", DELETIONS)
def test_a_deleted_folder_or_journal_is_created_again(corpus: Path, what: str) -> None:
    emitted = h.run_tiny(corpus, at_step_three(DELETIONS[what]), max_steps=8)
    assert f"The {what} of the run tiny was deleted; it was created again" in h.only(emitted, e.Warned).message
    journalled = h.journalled()
    assert isinstance(journalled[0], e.RunStarted)
    assert journalled[0].step == 5
    assert journalled[1:] == emitted[-len(journalled) + 1 :]
    assert not is_locked(find_run("tiny").journal_path)
    assert {**h.losses(emitted), **h.losses(h.run_session(h.resume_config(max_steps=12)))} == h.plain_losses()


def test_deleted_settings_are_written_again_without_a_warning(corpus: Path) -> None:
    emitted = h.run_tiny(corpus, at_step_three(lambda run: run.config_path.unlink()), max_steps=8)
    assert folder_of_run("tiny").config_path.is_file()
    assert not h.of_type(emitted, e.Warned)
    assert h.journalled() == emitted


def test_a_folder_that_belongs_to_another_run_now_is_not_written(corpus: Path) -> None:
    def taken(run: RunFolder) -> None:
        shutil.rmtree(run.path)
        run.path.mkdir()
        Journal(run.journal_path).close()

    emitted = h.run_tiny(corpus, at_step_three(taken), max_steps=8)
    assert list(h.losses(emitted)) == list(range(1, 9))
    assert "events.jsonl belongs to another run now" in h.of_type(emitted, e.Warned)[0].message
    assert disk_warnings(emitted)[-1] == ("disk", 8)
    other = folder_of_run("tiny")
    assert {path.name for path in other.path.iterdir()} <= {"events.jsonl", "tweetgen.log"}
    assert other.journal_path.read_bytes() == b""


def test_a_run_that_can_not_write_its_log_leaves_its_name_free(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.session.session.log_to", Mock(side_effect=StorageError("can't be written.")))
    assert h.only(h.run_tiny(corpus), e.RunFailed).title == StorageError.title
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


# Exceptions -----------------------------------------------------------------------------------------------------------
SETTINGS: dict[str, Setting] = {"dropout": 0.3, "num_layers": 2, "average_lag": 0.2, "sample_every": 4, "eval_every": 5}
UNEXPECTED = ZeroDivisionError("an unexpected exception")


@functools.cache
def undisturbed() -> tuple[dict[int, float], dict[str, Tensor]]:
    """Return the losses of a run with dropout, averaging, samples and evaluations, and its last tensors."""
    with h.own_home() as folder:
        return h.losses(h.run_tiny(h.write_corpus(folder), **SETTINGS)), h.tensors_of("tiny")


def assert_one_failure(emitted: list[e.Event]) -> e.RunFailed:
    """Assert that the stream ends with one `RunFailed`, which locates the traceback in the log."""
    failed = emitted[-1]
    assert isinstance(failed, e.RunFailed)
    assert exit_code_for(failed.title) == 3
    assert "an unexpected exception" in failed.detail
    assert str(find_run("tiny").log_path) in failed.hint
    log = find_run("tiny").log_path.read_text()
    assert "Traceback" in log
    assert "raise error" in log
    assert h.journalled()[-1] == failed
    return failed


FORWARD = "engine.compute.cpu.step.GruStep._forward"
EVALUATE = "engine.training.out_of_memory.evaluate"
UNTOUCHED = {
    "forward": (FORWARD, 8, False),
    "evaluation, done": (EVALUATE, 1, True),
    "sampling": ("engine.sampling.sampler.TweetSampler.advance", 30, False),
    "saving": ("engine.checkpoints.writer.write_checkpoint", 2, False),
    "journal": ("engine.storage.journal.Journal.append", 9, False),
}
"""Function, number of the call that fails, and whether it fails after its work."""


@pytest.mark.parametrize("failing", UNTOUCHED)
def test_an_exception_outside_the_update_loses_no_step_and_the_resume_is_exact(corpus: Path, failing: str) -> None:
    expected, expected_tensors = undisturbed()
    target, call, is_after = UNTOUCHED[failing]
    with pytest.MonkeyPatch.context() as patch:
        h.let_fail(patch, target, UNEXPECTED, call, is_after=is_after)
        emitted = h.run_tiny(corpus, **SETTINGS)
    failed = assert_one_failure(emitted)
    assert 1 <= failed.step < 12
    assert h.latest().step == failed.step
    again = h.run_session(h.resume_config())
    assert isinstance(again[-1], e.RunFinished)
    assert h.losses([*emitted, *again]) == expected
    h.assert_same_tensors(h.tensors_of("tiny"), expected_tensors)


UPDATES = ("engine.compute.optimizer.FusedAdamW.step", "engine.model.parameters.WeightAverage.update")


@pytest.mark.parametrize("target", UPDATES)
def test_an_interrupted_update_is_never_saved_and_the_run_resumes_from_before_it(corpus: Path, target: str) -> None:
    expected, _ = undisturbed()
    with pytest.MonkeyPatch.context() as patch:
        h.let_fail(patch, target, UNEXPECTED, 8, is_after=target.endswith("step"))
        emitted = h.run_tiny(corpus, {3: [c.SaveLatest()]}, **SETTINGS)
    assert_one_failure(emitted)
    assert "step 8 was interrupted" in h.only(emitted, e.Warned).message
    assert h.latest().step == 3
    assert {**h.losses(emitted), **h.losses(h.run_session(h.resume_config("tiny")))} == expected


def test_exceptions_in_the_error_handling_end_in_one_event_too(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Mock(side_effect=UNEXPECTED)
    with monkeypatch.context() as patch:

        def break_both() -> None:
            patch.setattr("engine.session.reporter.Reporter.emit", failing)
            patch.setattr("engine.session.checkpointing.Checkpointing.save", failing)

        emitted = h.run_tiny(corpus, {5: [break_both]}, sample_every=6)
    assert h.names(emitted).count("RunFailed") == 1
    assert isinstance(emitted[-1], e.RunFailed)
    assert "an unexpected exception" in emitted[-1].detail
    log = find_run("tiny").log_path.read_text()
    assert "saving after the failure failed" in log
    assert "the reporter failed on the failure of the run" in log
    assert h.run_session(h.resume_config("tiny"))[-1].step == 12


def test_an_internal_error_in_a_command_leaves_a_run_to_resume(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that fails to load halfway leaves the run unchanged."""
    h.run_tiny(corpus, run_name="plain", dropout=0.3)
    for target in (
        "engine.corpus.training_data.TrainingData.batches",
        "engine.session.restoring.load_into",
        "engine.session.restoring.resolve_checkpoint",
    ):
        name = target.rpartition(".")[2].replace("_", "-")
        with monkeypatch.context() as patch:
            break_now = functools.partial(h.let_fail, patch, target, UNEXPECTED, 1)
            script: h.Script = {6: [break_now, c.LoadCheckpoint(name="plain/latest")]}
            emitted = h.run_tiny(corpus, script, dropout=0.3, run_name=name)
        assert isinstance(emitted[-1], e.RunFailed)
        assert h.losses([*emitted, *h.run_session(h.resume_config(name))]) == h.plain_losses(dropout=0.3), target


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(2)], ids=repr)
def test_an_interrupt_or_exit_is_raised_after_the_last_event_and_a_save(corpus: Path, error: BaseException) -> None:
    target, call, step = (FORWARD, 7, 6) if isinstance(error, KeyboardInterrupt) else (EVALUATE, 1, 5)
    plain = h.plain_losses(dropout=0.3, eval_every=5)
    emitted: list[e.Event] = []
    session = TrainingSession(h.tiny_config(corpus, dropout=0.3, eval_every=5))
    with pytest.MonkeyPatch.context() as patch:
        h.let_fail(patch, target, error, call)
        with pytest.raises(type(error)):
            session.run(emitted.append, queue.SimpleQueue())
    assert_valid_stream(emitted)
    assert isinstance(emitted[-1], e.RunFailed)
    assert type(error).__name__ in emitted[-1].detail
    assert h.latest().step == emitted[-1].step == step
    assert h.losses([*emitted, *h.run_session(h.resume_config("tiny"))]) == plain

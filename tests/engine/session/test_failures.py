"""A failing disk stops no training; any other exception ends a run with one event, to be resumed."""

from __future__ import annotations

import errno
import functools
import logging
from contextlib import nullcontext
from pathlib import Path
from unittest import mock
from unittest.mock import Mock

import pytest
from torch import Tensor

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.run import Setting
from engine.errors import StorageError, exit_code_for
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage import journal
from engine.storage.folders import find_run, folder_of_run
from engine.storage.journal import read_journal
from engine.storage.log import log_to, log_traceback
from tests.engine import helpers as h
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import BrokenDisk

STEP_SECONDS = {e.StepsFinished: 25.0}
"""Seconds per step, so that the autosave, every minute, is due after three steps."""
CODES = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO)


# The disk -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", range(12))
def test_no_disk_failure_stops_the_run(corpus: Path, disk: BrokenDisk, number: int) -> None:
    """It fails from some call on, for two calls or for good."""
    disk.code = CODES[number // 2 % 4]

    def break_soon() -> None:
        disk.breaks_at, disk.for_calls = len(disk.calls) + 5 * number, 2 if number % 2 else None

    emitted = h.run_tiny(corpus, {0: [break_soon]}, eval_every=3, save_every=3, max_steps=6, seconds=STEP_SECONDS)
    assert list(h.losses(emitted)) == list(range(1, 7))
    assert isinstance(emitted[-1], e.RunFinished)
    disk.breaks_at = None
    run = folder_of_run("tiny")
    assert not list(run.path.rglob("*.tmp"))
    for path in (run.path / "checkpoints").glob("*"):
        load_checkpoint(path)
    content = run.journal_path.read_bytes()
    may_be_torn = disk.code in {errno.EROFS, errno.EIO}  # not even a torn line can be removed
    assert content.endswith(b"\n") or not content or may_be_torn
    assert len(list(read_journal(run.journal_path))) == content.count(b"\n")
    warnings = [(event.kind, event.step) for event in h.of_type(emitted, e.Warned) if event.kind.startswith("disk")]
    saved = [event.step for event in h.of_type(emitted, e.CheckpointSaved) if event.name == "latest"]
    is_consistent = saved[-1:] == [6] and h.journalled()[:-1] == emitted[:-1]
    assert is_consistent or warnings[-1] == ("disk", 6)
    if is_consistent and disk.for_calls and warnings:
        assert warnings[-1][0] == "disk-works"
        best_step = [event.step for event in h.of_type(emitted, e.EvalFinished) if event.is_best][-1]
        assert h.info_of("tiny", "best").step == best_step
        assert run.config_path.is_file()


@mock.patch.object(journal, "MAX_WAITING_BYTES", 2000)
def test_lacking_events_of_the_journal_are_counted(corpus: Path, disk: BrokenDisk) -> None:
    breaks, repairs = (functools.partial(setattr, disk, "breaks_at", number) for number in (0, None))
    emitted = h.run_tiny(corpus, {3: [breaks], 30: [repairs]}, max_steps=40, seconds=STEP_SECONDS)
    journalled = h.journalled()
    missing = [event for event in emitted if event not in journalled]
    assert [event for event in emitted if event in journalled] == journalled
    assert len(missing) > 10
    [works] = [event for event in h.of_type(journalled, e.Warned) if event.kind == "disk-works"]
    assert works.message == f"Saving works again. The journal lacks {len(missing)} events."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the disk that is always full")
def test_an_unwritable_log_prints_nothing_and_is_reported_and_a_run_without_one_leaves_its_name_free(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
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
    with mock.patch("engine.session.session.log_to", side_effect=StorageError("can't be written.")):
        assert h.only(h.run_tiny(corpus), e.RunFailed).title == StorageError.title
    assert not folder_of_run("tiny").path.exists()
    assert capfd.readouterr() == ("", "")


# Exceptions -----------------------------------------------------------------------------------------------------------
SETTINGS: dict[str, Setting] = {"dropout": 0.3, "num_layers": 2, "average_lag": 0.2, "sample_every": 4, "eval_every": 5}
UNEXPECTED = ZeroDivisionError("an unexpected exception")
FORWARD, EVALUATE = "engine.compute.cpu.step.GruStep._forward", "engine.training.out_of_memory.evaluate"
FAILURES: dict[str, tuple[str, int, bool, BaseException]] = {
    "forward": (FORWARD, 8, False, UNEXPECTED),
    "evaluation, done": (EVALUATE, 1, True, UNEXPECTED),
    "sampling": ("engine.sampling.sampler.TweetSampler.advance", 30, False, UNEXPECTED),
    "saving": ("engine.checkpoints.writer.write_checkpoint", 3, False, UNEXPECTED),
    "journal": ("engine.storage.journal.Journal.append", 9, False, UNEXPECTED),
    "interrupt in a step": (FORWARD, 7, False, KeyboardInterrupt("an unexpected exception")),
    "exit in an evaluation": (EVALUATE, 1, False, SystemExit("an unexpected exception")),
    "half an update": ("engine.compute.optimizer.FusedAdamW.step", 8, True, UNEXPECTED),
    "half an average": ("engine.model.parameters.WeightAverage.update", 8, False, UNEXPECTED),
}
"""Function, number of the call that fails, whether it fails after its work, and how."""


@functools.cache
def undisturbed() -> tuple[dict[int, float], dict[str, Tensor]]:
    """Return the losses of a run with dropout, averaging, samples and evaluations, and its last tensors."""
    with h.own_home() as folder:
        return h.losses(h.run_tiny(h.write_corpus(folder), **SETTINGS)), h.tensors_of("tiny")


@pytest.mark.parametrize("name", FAILURES)
def test_after_an_exception_all_steps_but_a_half_update_are_saved_and_the_resume_is_exact(
    corpus: Path, name: str
) -> None:
    """An interrupt and an exit are raised after that; of a half update nothing is saved."""
    target, call, is_after, error = FAILURES[name]
    expected, expected_tensors = undisturbed()
    emitted: list[e.Event] = []
    note = h.whenever(e.Event, emitted.append)
    with pytest.MonkeyPatch.context() as patch:
        h.let_fail(patch, target, error, call, is_after=is_after)
        with nullcontext() if error is UNEXPECTED else pytest.raises(type(error)):
            h.run_tiny(corpus, {3: [c.SaveLatest()]}, note, **SETTINGS)
    assert_valid_stream(emitted)
    failed, run = emitted[-1], find_run("tiny")
    assert isinstance(failed, e.RunFailed)
    assert exit_code_for(failed.title) == 3
    assert f"{type(error).__name__}: an unexpected exception" in failed.detail
    assert str(run.log_path) in failed.hint
    assert "Traceback" in run.log_path.read_text()
    assert "raise error" in run.log_path.read_text()
    assert h.journalled()[-1] == failed
    assert 1 <= failed.step < 12
    is_half = name.startswith("half")
    assert h.latest().step == (3 if is_half else failed.step)
    warnings = [event.message for event in h.of_type(emitted, e.Warned)]
    assert ["step 8 was interrupted" in message for message in warnings] == [True] * is_half
    again = h.run_session(h.resume_config())
    assert isinstance(again[-1], e.RunFinished)
    assert {**h.losses(emitted), **h.losses(again)} == expected
    h.assert_same_tensors(h.tensors_of("tiny"), expected_tensors)


def test_exceptions_in_the_error_handling_end_in_one_event_too(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Mock(side_effect=UNEXPECTED)
    with monkeypatch.context() as patch:

        def break_both() -> None:
            patch.setattr("engine.session.reporter.Reporter.emit", failing)
            patch.setattr("engine.session.checkpointing.Checkpointing.save", failing)

        emitted = h.run_tiny(corpus, {5: [break_both]}, sample_every=6)
    assert "an unexpected exception" in h.only(emitted, e.RunFailed).detail
    log = find_run("tiny").log_path.read_text()
    assert "saving after the failure failed" in log
    assert "the reporter failed on the failure of the run" in log
    assert h.run_session(h.resume_config("tiny"))[-1].step == 12


def test_an_internal_error_in_a_command_leaves_a_run_to_resume(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that fails to load halfway leaves the run unchanged."""
    h.run_tiny(corpus, run_name="plain", dropout=0.3)
    loading = "engine.session.restoring"
    for target in (
        "engine.corpus.training_data.TrainingData.batches",
        f"{loading}.load_into",
        f"{loading}.resolve_checkpoint",
    ):
        name = target.rpartition(".")[2].replace("_", "-")
        with monkeypatch.context() as patch:
            break_now = functools.partial(h.let_fail, patch, target, UNEXPECTED, 1)
            script: h.Script = {6: [break_now, c.LoadCheckpoint(name="plain/latest")]}
            emitted = h.run_tiny(corpus, script, dropout=0.3, run_name=name)
        assert isinstance(emitted[-1], e.RunFailed)
        assert h.losses([*emitted, *h.run_session(h.resume_config(name))]) == h.plain_losses(dropout=0.3), target

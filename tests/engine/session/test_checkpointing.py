"""Training continues while a disk is slow or blocks; saves keep their order, and the end of the run waits for them."""

from __future__ import annotations

import functools
import os
import shutil
import threading
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import pytest
from torch import Tensor

from engine.checkpoints import writer
from engine.checkpoints.checkpoint import HostSnapshot, load_checkpoint, write_checkpoint
from engine.checkpoints.writer import Writer
from engine.errors import StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session import checkpointing
from engine.storage.folders import folder_of_run, named_checkpoint_path
from tests.engine import helpers as h
from tests.waiting import DEADLINE_SECONDS


class BlockedWriter(Writer):
    """Writes nothing between `block` and `unblock`; a wait of the session without a limit unblocks it, too."""

    may_write: ClassVar = threading.Event()
    newest: ClassVar[BlockedWriter]
    """The write in progress, or the one that has ended last."""

    def start(self) -> None:
        BlockedWriter.newest = self
        super().start()
        if self.may_write.is_set():
            super().join()

    def run(self) -> None:
        assert self.may_write.wait(DEADLINE_SECONDS)
        super().run()

    def join(self, timeout: float | None = None) -> None:
        if timeout is None:
            self.may_write.set()
        super().join(timeout)

    @classmethod
    def block(cls) -> None:
        """Block the next write."""
        cls.may_write.clear()

    @classmethod
    def unblock(cls) -> None:
        """Wait until the write in progress has ended; later ones end at once."""
        cls.newest.join()


BlockedWriter.may_write.set()
run_blocked = functools.partial(h.run_tiny, writer=BlockedWriter)


def blocked(first_step: int, last_step: int, sent: h.Script | None = None) -> h.Script:
    """Return the script that blocks the disk from one step to another, and sends commands at steps."""
    script: dict[int, h.Sent] = dict(sent or {})
    for step, happens in ((first_step, BlockedWriter.block), (last_step, BlockedWriter.unblock)):
        script[step] = [happens, *script.get(step, ())]
    return script


NO_PATIENCE = mock.patch.object(checkpointing, "PATIENCE_SECONDS", 0.0)
"""Lets a save not wait for room in the queue."""


def saved(emitted: Iterable[e.Event]) -> list[tuple[str, int, int | None]]:
    """Return name, step and step of the weights of each checkpoint, in order."""
    return [(event.name, event.step, event.weights_step) for event in h.of_type(emitted, e.CheckpointSaved)]


# A slow disk ----------------------------------------------------------------------------------------------------------
def test_steps_continue_on_a_slow_disk_and_saves_keep_their_order_and_the_weights_of_their_step(corpus: Path) -> None:
    undisturbed = h.plain_losses(dropout=0.3, average_lag=0.2)
    script = blocked(2, 8, {3: [c.SaveCheckpoint(name="three")], 5: [c.SaveLatest()]})
    emitted = run_blocked(corpus, script, dropout=0.3, average_lag=0.2)
    assert saved(emitted) == [("latest", 0, 0), ("three", 8, 3), ("latest", 8, 5), ("latest", 12, 12)]
    assert h.losses(emitted) == undisturbed
    assert load_checkpoint(named_checkpoint_path("three")).info.step == 3
    assert {**h.losses(emitted), **h.losses(h.run_session(h.branch_config(None, "again", "three")))} == undisturbed


def test_a_checkpoint_is_reported_with_the_step_of_its_weights_unless_later_ones_are_reported(corpus: Path) -> None:
    inbox = h.AnsweringInbox([*[None] * 5, c.SaveCheckpoint(name="five")])
    emitted = h.run_tiny(corpus, inbox=inbox, report_seconds=1e9, writer=h.late_writer(num_looks=3))
    assert saved(emitted)[1:] == [("five", 5, 5), ("latest", 12, 12)]
    assert [(event.first_step, event.step) for event in h.of_type(emitted, e.StepsFinished)] == [(1, 5), (6, 12)]


Copies = list[tuple[float, int]]


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Copies:
    """Return the step of each copy that a run makes, and how many of its copies there are then."""
    made: list[weakref.ref[HostSnapshot]] = []
    found: Copies = []
    sound = HostSnapshot.of

    def copy_of(tensors: dict[str, Tensor], spare: HostSnapshot | None = None) -> HostSnapshot:
        made.append(weakref.ref(copy := sound(tensors, spare)))
        step = float(tensors.get("optimizer.step.proj.bias", 0.0))
        found.append((step, sum(each() is not None for each in made)))
        return copy

    monkeypatch.setattr(HostSnapshot, "of", copy_of)
    return found


def test_an_autosave_and_a_best_that_wait_are_replaced_by_newer_ones(corpus: Path, copies: Copies) -> None:
    settings: dict[str, Any] = {"eval_every": 2, "learning_rate": 0.02, "max_steps": 10}
    emitted = run_blocked(corpus, blocked(1, 9), seconds={e.StepsFinished: 30.0}, **settings)
    assert [event.step for event in h.of_type(emitted, e.EvalFinished) if event.is_best] == [2, 4, 6, 8, 10]
    at_the_end = [("best", 10, 10), ("latest", 10, 10)]
    assert saved(emitted)[1:] == [("best", 9, 2), ("best", 9, 8), ("latest", 9, 8), *at_the_end]
    assert max(number for _, number in copies) <= 4
    assert [h.info_of("tiny", name).step for name in ("best", "latest")] == [10, 10]


def test_a_best_that_waits_delays_no_autosave_and_is_written_before_it(corpus: Path) -> None:
    settings: dict[str, Any] = {"eval_every": 2, "learning_rate": 0.02, "max_steps": 5}
    script = blocked(1, 5, {1: [c.SaveLatest()]})
    emitted = run_blocked(corpus, script, seconds={e.StepsFinished: 25.0}, **settings)
    assert [event.step for event in h.of_type(emitted, e.EvalFinished) if event.is_best][:2] == [2, 4]
    assert saved(emitted)[1:4] == [("latest", 5, 1), ("best", 5, 4), ("latest", 5, 4)]


def test_saves_of_one_step_share_one_copy(corpus: Path, copies: Copies) -> None:
    emitted = h.run_tiny(corpus, {4: [c.SaveLatest(), c.SaveCheckpoint(name="mine")]}, eval_every=4, save_every=4)
    assert {name for name, _, step in saved(emitted) if step == 4} == {"mine", "latest", "best", "step-4"}
    assert [step for step, _ in copies] == [0, 4, 8, 12]


# Waiting where the result matters -------------------------------------------------------------------------------------
def test_the_end_of_a_run_waits_for_its_checkpoints_also_for_a_full_queue(corpus: Path) -> None:
    emitted = run_blocked(corpus, blocked(5, 99), save_every=6)
    assert h.names(emitted)[-5:] == ["StepsFinished", *["CheckpointSaved"] * 3, "RunFinished"]
    assert saved(emitted)[1:] == [("step-6", 12, 6), ("step-12", 12, 12), ("latest", 12, 12)]
    assert h.latest().step == 12
    with NO_PATIENCE:
        full = run_blocked(corpus, blocked(1, 99), run_name="full", save_every=2)
    assert saved(full)[-1] == ("latest", 12, 12)
    assert h.info_of("full").step == 12


@pytest.mark.parametrize("command", [c.Stop(), c.Stop(unless_unsaved=True)], ids=["stop", "unless unsaved"])
def test_a_stop_waits_for_the_writer(corpus: Path, command: c.Command) -> None:
    emitted = run_blocked(corpus, blocked(3, 99, {4: [c.SaveCheckpoint(name="four")], 6: [command]}))
    assert saved(emitted)[1:] == [("four", 6, 4), ("latest", 6, 6)]
    assert isinstance(emitted[-1], e.RunFinished)


def test_a_checkpoint_that_is_still_being_written_has_taken_its_name_and_can_be_loaded(corpus: Path) -> None:
    save, load = c.SaveCheckpoint(name="four"), c.LoadCheckpoint(name="four")
    emitted = run_blocked(corpus, blocked(3, 99, {4: [save], 5: [save], 6: [load]}))
    assert "There is already" in h.only(emitted, e.CommandRefused).detail
    assert load_checkpoint(named_checkpoint_path("four")).info.step == 4
    assert h.only(emitted, e.CheckpointLoaded).step == 4
    assert [name for name, _, _ in saved(emitted)] == ["latest", "four", "step-6-before-load", "latest", "latest"]


# A disk that fails or blocks ------------------------------------------------------------------------------------------
@NO_PATIENCE
def test_a_disk_that_blocks_is_reported_once_and_checkpoints_without_room_are_named_later(corpus: Path) -> None:
    emitted = run_blocked(corpus, blocked(1, 9), save_every=2)
    blocked_warning, works = h.of_type(emitted, e.Warned)
    assert (blocked_warning.kind, blocked_warning.step) == ("disk", 4)
    assert "step-2 can't be written: the disk has not finished in 0 seconds" in blocked_warning.message
    assert works.message == "Saving works again. Not saved: step-6, step-8."
    assert list(h.losses(emitted)) == list(range(1, 13))
    assert [name for name, _, _ in saved(emitted)] == ["latest", "step-2", "step-4", "step-10", "step-12", "latest"]


@NO_PATIENCE
def test_without_room_a_save_by_name_is_refused_in_the_end(corpus: Path) -> None:
    saves: h.Script = {step: [c.SaveCheckpoint(name=f"at{step}")] for step in (3, 4, 5)}
    emitted = run_blocked(corpus, blocked(2, 9, saves))
    refused = h.only(emitted, e.CommandRefused)
    assert (refused.command, refused.step) == ("SaveCheckpoint", 5)
    assert [name for name, _, _ in saved(emitted)] == ["latest", "at3", "at4", "latest"]


def test_a_late_failure_is_reported_once_and_refuses_the_command(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[str] = []

    def failing(path: Path, *rest: Any) -> None:
        if len(failures) < 3:
            failures.append(path.stem)
            raise StorageError(f"{path} can't be written: No space left on device.")
        write_checkpoint(path, *rest)

    fail = functools.partial(monkeypatch.setattr, writer, "write_checkpoint", failing)
    script = blocked(2, 8, {2: [fail], 3: [c.SaveLatest()], 5: [c.SaveCheckpoint(name="mine")]})
    emitted = run_blocked(corpus, script, save_every=9)
    assert failures == ["latest", "mine", "latest"]  # the last is the one at the end
    failed, again = h.of_type(emitted, e.Warned)
    assert [(event.kind, event.step) for event in (failed, again)] == [("disk", 8), ("disk", 12)]
    assert "the run ends without latest, step-9" in again.message
    refused = h.only(emitted, e.CommandRefused)
    assert (refused.command, refused.title, refused.step) == ("SaveCheckpoint", StorageError.title, 8)


def test_an_exception_in_a_write_ends_the_run_later_steps_saved(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = "engine.checkpoints.writer.write_checkpoint"
    h.let_fail(monkeypatch, target, ZeroDivisionError(), lambda path, *_: path.stem == "mine")
    failed = run_blocked(corpus, blocked(2, 7, {3: [c.SaveCheckpoint(name="mine")]}))[-1]
    assert isinstance(failed, e.RunFailed)
    assert failed.step == h.latest().step == 7


def test_a_best_that_can_not_be_written_is_no_disk_that_works_though_a_better_one_waits(corpus: Path) -> None:
    settings: dict[str, Any] = {"eval_every": 4, "learning_rate": 0.02, "max_steps": 15}
    script = blocked(5, 9, {1: [lambda: folder_of_run("tiny").checkpoint_path("best").mkdir()]})
    emitted = run_blocked(corpus, script, seconds={e.StepsFinished: 20.0}, **settings)
    assert [event.step for event in h.of_type(emitted, e.EvalFinished) if event.is_best][:2] == [4, 8]
    assert saved(emitted)[1:3] == [("latest", 3, 3), ("latest", 9, 6)]
    failed, lost = h.of_type(emitted, e.Warned)
    assert [(event.kind, event.step) for event in (failed, lost)] == [("disk", 4), ("disk", 15)]
    assert "the run ends without best" in lost.message


def test_an_exception_in_the_write_of_best_is_raised_after_the_report_of_the_save_behind_it(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = "engine.checkpoints.writer.write_checkpoint"
    h.let_fail(monkeypatch, target, ZeroDivisionError(), lambda path, *_: path.stem == "best")
    script = blocked(1, 5, {1: [c.SaveLatest()]})
    emitted = run_blocked(corpus, script, seconds={e.StepsFinished: 25.0}, eval_every=2)
    assert saved(emitted)[1:3] == [("latest", 5, 1), ("latest", 5, 4)]
    assert isinstance(emitted[-1], e.RunFailed)
    assert emitted[-1].step == h.latest().step == 5


def test_a_kill_between_the_copy_and_the_rename_leaves_the_checkpoint_before(
    corpus: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files at that moment are what a kill leaves."""
    is_written, may_rename, rename = threading.Event(), threading.Event(), os.replace

    def replace(source: Path, target: Path) -> None:
        if target.stem == "latest" and folder_of_run("tiny").checkpoint_path("latest").exists():
            is_written.set()
            assert may_rename.wait(DEADLINE_SECONDS)
        rename(source, target)

    def copy_files() -> None:
        assert is_written.wait(DEADLINE_SECONDS)
        shutil.copytree(home, tmp_path / "killed")
        may_rename.set()

    monkeypatch.setattr(os, "replace", replace)
    emitted = h.run_tiny(corpus, {5: [c.SaveLatest()], 8: [copy_files]}, dropout=0.3, writer=Writer)
    assert [(name, step) for name, _, step in saved(emitted)] == [("latest", 0), ("latest", 5), ("latest", 12)]
    with h.home_at(tmp_path / "killed"):
        left = folder_of_run("tiny")
        assert len(list(left.path.rglob("*.tmp"))) == 1
        assert h.latest().step == 0
        assert h.losses(h.run_session(h.resume_config("tiny"))) == h.losses(emitted)
        assert not list(left.path.rglob("*.tmp"))

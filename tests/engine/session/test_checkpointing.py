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
from syrupy.assertion import SnapshotAssertion
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
from tests.engine.session.recorded import lines_of
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


def test_saves_of_one_step_share_one_copy(corpus: Path, copies: Copies) -> None:
    emitted = h.run_tiny(corpus, {4: [c.SaveLatest(), c.SaveCheckpoint(name="mine")]}, eval_every=4, save_every=4)
    assert {name for name, _, step in saved(emitted) if step == 4} == {"mine", "latest", "best", "step-4"}
    assert [step for step, _ in copies] == [0, 4, 8, 12]


# A disk that blocks ---------------------------------------------------------------------------------------------------
BEST_OF_TWO: dict[str, Any] = {"eval_every": 2, "learning_rate": 0.02, "max_steps": 5}
BEST_OF_FOUR: dict[str, Any] = {"eval_every": 4, "learning_rate": 0.02, "max_steps": 15}
NO_PATIENCE: dict[str, Any] = {"patience_seconds": 0.0}
"""A save does not wait for room in the queue."""
FOUR, LOAD_FOUR = c.SaveCheckpoint(name="four"), c.LoadCheckpoint(name="four")
BLOCK_BEST: h.Script = {1: [lambda: folder_of_run("tiny").checkpoint_path("best").mkdir()]}
BLOCKED: dict[str, tuple[h.Script, dict[str, Any]]] = {
    "a best that waits delays no autosave and is written before it": (
        blocked(1, 5, {1: [c.SaveLatest()]}),
        {**BEST_OF_TWO, "seconds": {e.StepsFinished: 25.0}},
    ),
    "the end of a run waits for its checkpoints": (blocked(5, 99), {"save_every": 6}),
    "it waits for a full queue, too": (blocked(1, 99), {"save_every": 2, **NO_PATIENCE}),
    "a stop waits for the writer": (blocked(3, 99, {4: [FOUR], 6: [c.Stop()]}), {}),
    "a stop unless unsaved waits for it": (blocked(3, 99, {4: [FOUR], 6: [c.Stop(unless_unsaved=True)]}), {}),
    "a checkpoint that is still being written has taken its name and can be loaded": (
        blocked(3, 99, {4: [FOUR], 5: [FOUR], 6: [LOAD_FOUR]}),
        {},
    ),
    "a disk that blocks is reported once and checkpoints without room are named later": (
        blocked(1, 9),
        {"save_every": 2, **NO_PATIENCE},
    ),
    "without room a save by name is refused in the end": (
        blocked(2, 9, {step: [c.SaveCheckpoint(name=f"at{step}")] for step in (3, 4, 5)}),
        NO_PATIENCE,
    ),
    "a best that can not be written is no disk that works though a better one waits": (
        blocked(5, 9, BLOCK_BEST),
        {**BEST_OF_FOUR, "seconds": {e.StepsFinished: 20.0}},
    ),
}


@pytest.mark.parametrize("name", BLOCKED)
def test_a_run_whose_disk_blocks_is_as_recorded(corpus: Path, name: str, snapshot: SnapshotAssertion) -> None:
    script, options = BLOCKED[name]
    patience_seconds = options.get("patience_seconds", checkpointing.PATIENCE_SECONDS)
    own = {key: value for key, value in options.items() if key != "patience_seconds"}
    with mock.patch.object(checkpointing, "PATIENCE_SECONDS", patience_seconds):
        assert lines_of(run_blocked(corpus, script, **own)) == snapshot


# A disk that fails ----------------------------------------------------------------------------------------------------
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

"""Saves while a disk is slow, blocks, fails or loses files: their order, what waits for them, what remains of them."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import Mock

import pytest
from syrupy.assertion import SnapshotAssertion
from torch import Tensor

from engine.checkpoints.catalog import pin_path
from engine.checkpoints.checkpoint import HostSnapshot, load_checkpoint, write_checkpoint
from engine.checkpoints.writer import Writer
from engine.errors import StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session import checkpointing
from engine.storage.folders import find_run, folder_of_run
from engine.storage.journal import Journal, read_journal
from tests.engine import helpers as h
from tests.engine.session.recorded import Play, recorded_plays
from tests.fakes import BrokenDisk, FakeClock
from tests.waiting import DEADLINE_SECONDS

WRITE = "engine.checkpoints.writer.write_checkpoint"


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


BlockedWriter.may_write.set()


def unblock() -> None:
    """Wait until the write in progress has ended; later ones end at once."""
    BlockedWriter.newest.join()


def block_best() -> None:
    folder_of_run("tiny").checkpoint_path("best").mkdir()


def unblock_best() -> None:
    folder_of_run("tiny").checkpoint_path("best").rmdir()


def delete_folder() -> None:
    shutil.rmtree(folder_of_run("tiny").path)


def give_folder_away() -> None:
    delete_folder()
    folder_of_run("tiny").path.mkdir()
    Journal(folder_of_run("tiny").journal_path).close()


def left_by(disk: BrokenDisk, emitted: list[e.Event]) -> str:
    """Repair the disk; return the files of the run, which have no damage, and what its journal has."""
    disk.breaks_at = None
    run = folder_of_run(h.only(emitted, e.RunStarted).run)
    paths = [path for path in sorted(run.path.rglob("*")) if path.is_file()]
    for path in paths:
        if path.suffix == ".safetensors":
            load_checkpoint(path)
    events = list(read_journal(run.journal_path))
    steps = [event.step for event in h.of_type(events, e.RunStarted)]
    content = "all events" if events[-len(emitted) :] == emitted else f"{len(events)} of {len(emitted)} events"
    names = " ".join(str(path.relative_to(run.path)) for path in paths)
    return f"files: {names}\njournal: {content}, from the steps {steps}"


@recorded_plays("disk")
def test_a_run_is_as_recorded(
    corpus: Path, disk: BrokenDisk, play: Play, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_from(breaks_at: int | None, code: int) -> Callable[[], None]:
        return lambda: vars(disk).update(breaks_at=breaks_at, code=code)

    def failing(error: Exception, when: Callable[..., bool]) -> Callable[[], None]:
        return lambda: h.let_fail(monkeypatch, WRITE, error, when)

    def pin_step_4() -> None:
        path = find_run("tiny").checkpoint_path("step-4")
        pin_path(path).touch()
        pinned[path] = path.read_bytes()

    def check_step_4() -> None:
        assert pinned == {path: path.read_bytes() for path in pinned}

    writes, pinned = count(1), dict[Path, bytes]()
    full = StorageError("It can't be written: No space left on device.")
    refusing = Mock(side_effect=StorageError("The journal can't be written."))
    functions: dict[str, Any] = {
        **globals(),
        "pin_step_4": pin_step_4,
        "check_step_4": check_step_4,
        "block": BlockedWriter.may_write.clear,
        "break_disk": broken_from(0, errno.ENOSPC),
        "break_with_io_errors": broken_from(0, errno.EIO),
        "forbid_writing": broken_from(0, errno.EACCES),
        "repair_disk": broken_from(None, 0),
        "break_journal": lambda: monkeypatch.setattr(Journal, "append", refusing),
        "delete_journal": folder_of_run("tiny").journal_path.unlink,
        "delete_settings": folder_of_run("tiny").config_path.unlink,
        "without_patience": lambda: monkeypatch.setattr(checkpointing, "PATIENCE_SECONDS", 0.0),
        "fail_three_writes": failing(full, lambda *_: next(writes) <= 3),
        "fail_mine": failing(ZeroDivisionError(), lambda path, *_: path.stem == "mine"),
        "fail_best": failing(ZeroDivisionError(), lambda path, *_: path.stem == "best"),
    }
    assert play.lines(corpus, functions, note=partial(left_by, disk), writer=BlockedWriter) == snapshot


def saved(emitted: Iterable[e.Event]) -> list[tuple[str, int, int | None]]:
    """Return name, step and step of the weights of each checkpoint, in order."""
    return [(event.name, event.step, event.weights_step) for event in h.of_type(emitted, e.CheckpointSaved)]


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

    clock, tried, inbox = FakeClock(), list[str](), h.AnsweringInbox([])
    monkeypatch.setattr(WRITE, noted)
    sent: h.Script = {1: [block_best], 5: [c.Pause()]}
    once: h.Once = {e.Paused: [lambda: setattr(inbox, "unread", answers())]}
    emitted = h.run_tiny(corpus, sent, inbox=inbox, once=once, clock=clock, eval_every=4, learning_rate=0.02)
    assert tried == ["latest", "best", "best", "best", "best", "best", "latest"]
    assert saved(emitted) == [("latest", 0, 0), ("best", 5, 4), ("latest", 5, 5)]
    assert [event.kind for event in h.of_type(emitted, e.Warned)] == ["disk", "disk-works"]


def test_a_checkpoint_is_reported_with_the_step_of_its_weights_unless_later_ones_are_reported(corpus: Path) -> None:
    inbox = h.AnsweringInbox([*[None] * 5, c.SaveCheckpoint(name="five")])
    emitted = h.run_tiny(corpus, inbox=inbox, report_seconds=1e9, writer=h.late_writer(num_looks=3))
    assert saved(emitted)[1:] == [("five", 5, 5), ("latest", 12, 12)]
    assert [(event.first_step, event.step) for event in h.of_type(emitted, e.StepsFinished)] == [(1, 5), (6, 12)]


def test_saves_of_one_step_share_one_copy_and_saves_that_wait_are_replaced_by_newer_ones(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[HostSnapshot]] = []
    copies: list[tuple[float, int]] = []  # step of each copy, and how many copies there are then
    sound = HostSnapshot.of

    def copy_of(tensors: dict[str, Tensor], spare: HostSnapshot | None = None) -> HostSnapshot:
        made.append(weakref.ref(copy := sound(tensors, spare)))
        step = float(tensors.get("optimizer.step.proj.bias", 0.0))
        copies.append((step, sum(each() is not None for each in made)))
        return copy

    monkeypatch.setattr(HostSnapshot, "of", copy_of)
    sent: h.Script = {4: [c.SaveLatest(), c.SaveCheckpoint(name="mine")]}
    emitted = h.run_tiny(corpus, sent, run_name="shared", eval_every=4, save_every=4)
    assert {name for name, _, step in saved(emitted) if step == 4} == {"mine", "latest", "best", "step-4"}
    assert [step for step, _ in copies] == [0, 4, 8, 12]

    made.clear()
    copies.clear()
    blocked: h.Script = {1: [BlockedWriter.may_write.clear], 9: [unblock]}
    options: dict[str, Any] = {"seconds": {e.StepsFinished: 30.0}, "writer": BlockedWriter}
    emitted = h.run_tiny(corpus, blocked, eval_every=2, learning_rate=0.02, max_steps=10, **options)
    assert [event.step for event in h.of_type(emitted, e.EvalFinished) if event.is_best] == [2, 4, 6, 8, 10]
    at_the_end = [("best", 10, 10), ("latest", 10, 10)]
    assert saved(emitted)[1:] == [("best", 9, 2), ("best", 9, 8), ("latest", 9, 8), *at_the_end]
    assert max(number for _, number in copies) <= 4


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
        left = find_run("tiny")
        assert len(list(left.path.rglob("*.tmp"))) == 1
        assert h.latest().step == 0
        assert h.losses(h.run_session(h.resume_config("tiny"))) == h.losses(emitted)
        assert not list(left.path.rglob("*.tmp"))

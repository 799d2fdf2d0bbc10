"""Training continues while a disk is slow or blocks; saves keep their order, and the end of the run waits for them."""

from __future__ import annotations

import shutil
import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from engine.checkpoints.checkpoint import load_checkpoint, write_host_copy
from engine.checkpoints.host_copy import HostCopy
from engine.checkpoints.metadata import read_info
from engine.errors import StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.checkpoints import save_queue, write_job
from engine.session.checkpoints.writer import CheckpointWriter
from engine.storage import atomic_write
from engine.storage.folders import find_run, folder_of_run, named_checkpoint_path
from tests.engine.helpers import (
    AnsweringInbox,
    OnEvent,
    home_at,
    latest,
    losses,
    names,
    of_type,
    only,
    resume_config,
    run_session,
    tiny_config,
)
from tests.engine.session.checkpoints.slow_writers import BlockedWriter, LateWriter
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import BrokenDisk, FakeClock
from tests.waiting import DEADLINE_SECONDS


def blocked(first_step: int, last_step: int, sent: dict[int, list[c.Command]] | None = None) -> OnEvent:
    """Return a callback that blocks the disk from one step to another, and sends commands at steps."""

    def on_event(event: e.Event) -> Iterable[c.Command]:
        if not isinstance(event, e.StepsFinished):
            return ()
        if event.step == first_step:
            BlockedWriter.block()
        if event.step == last_step:
            BlockedWriter.unblock()
        return (sent or {}).get(event.step, ())

    return on_event


def saved(emitted: Iterable[e.Event]) -> list[tuple[str, int, int | None]]:
    """Return name, step and step of the weights of each checkpoint, in order."""
    return [(event.name, event.step, event.weights_step) for event in of_type(emitted, e.CheckpointSaved)]


# A slow disk ----------------------------------------------------------------------------------------------------------


def test_steps_continue_while_the_disk_is_slow_and_saves_keep_their_order_and_the_weights_of_their_step(
    corpus: Path,
) -> None:
    config = tiny_config(corpus, dropout=0.3, average_lag=0.2)
    undisturbed = losses(run_session(tiny_config(corpus, run_name="plain", dropout=0.3, average_lag=0.2)))
    sent: dict[int, list[c.Command]] = {3: [c.SaveCheckpoint(name="three")], 5: [c.SaveLatest()]}

    emitted = run_session(config, None, blocked(2, 8, sent), writer=BlockedWriter)

    assert_valid_stream(emitted)
    assert saved(emitted) == [("latest", 0, 0), ("three", 8, 3), ("latest", 8, 5), ("latest", 12, 12)]
    assert losses(emitted) == undisturbed
    assert load_checkpoint(named_checkpoint_path("three")).info.step == 3
    again = tiny_config(corpus, run_name="again")
    from_three = run_session(type(again)(checkpoint="three", runtime=again.runtime, run_name="again"))
    assert {**losses(emitted), **losses(from_three)} == undisturbed


def test_a_checkpoint_is_reported_with_the_step_of_its_weights_unless_later_ones_are_reported(corpus: Path) -> None:
    class Late(LateWriter):
        num_looks = 3

    sent = [*[None] * 5, c.SaveCheckpoint(name="five")]

    emitted = run_session(tiny_config(corpus), inbox=AnsweringInbox(sent), report_seconds=1e9, writer=Late)

    assert_valid_stream(emitted)
    assert saved(emitted)[1:] == [("five", 5, 5), ("latest", 12, 12)]
    assert [(event.first_step, event.step) for event in of_type(emitted, e.StepsFinished)] == [(1, 5), (6, 12)]


def test_an_autosave_and_a_best_that_wait_are_replaced_by_newer_ones_and_share_the_copy_of_their_step(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies: list[weakref.ref[HostCopy]] = []
    counts: list[int] = []
    sound = HostCopy.of

    def count(tensors: dict[str, Tensor], spare: HostCopy | None = None) -> HostCopy:
        copies.append(weakref.ref(copy := sound(tensors, spare)))
        counts.append(sum(each() is not None for each in copies))
        return copy

    monkeypatch.setattr(HostCopy, "of", count)
    clock = FakeClock()
    on_block = blocked(1, 9)

    def on_event(event: e.Event) -> Iterable[c.Command]:
        clock.advance(30.0 if isinstance(event, e.StepsFinished) else 0.0)
        return on_block(event)

    config = tiny_config(corpus, eval_every=2, learning_rate=0.02, max_steps=10)
    emitted = run_session(config, None, on_event, clock, writer=BlockedWriter)

    best_steps = [event.step for event in of_type(emitted, e.EvalFinished) if event.is_best]
    assert best_steps == [2, 4, 6, 8, 10]
    assert saved(emitted)[1:] == [
        ("best", 9, 2),
        ("best", 9, 8),
        ("latest", 9, 8),
        ("best", 10, 10),
        ("latest", 10, 10),
    ]
    assert max(counts) <= 4
    assert [read_info(find_run("tiny").checkpoint_path(name))[0].step for name in ("best", "latest")] == [10, 10]


def test_saves_of_one_step_share_one_copy(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[float] = []
    sound = HostCopy.of

    def count(tensors: dict[str, Tensor], spare: HostCopy | None = None) -> HostCopy:
        steps.append(float(tensors.get("optimizer.step.proj.bias", 0.0)))
        return sound(tensors, spare)

    monkeypatch.setattr(HostCopy, "of", count)
    sent: dict[int, list[c.Command]] = {4: [c.SaveLatest(), c.SaveCheckpoint(name="mine")]}

    emitted = run_session(tiny_config(corpus, eval_every=4, save_every=4), sent)

    assert {name for name, _, step in saved(emitted) if step == 4} == {"mine", "latest", "best", "step-4"}
    assert steps == [0, 4, 8, 12]


# Waiting where the result matters -------------------------------------------------------------------------------------


def test_the_end_of_a_run_waits_for_its_checkpoints(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus, save_every=6), None, blocked(5, 99), writer=BlockedWriter)

    assert names(emitted)[-5:] == ["StepsFinished", *["CheckpointSaved"] * 3, "RunFinished"]
    assert saved(emitted)[1:] == [("step-6", 12, 6), ("step-12", 12, 12), ("latest", 12, 12)]
    assert latest().step == 12


def test_the_last_save_waits_for_a_blocked_disk_with_a_full_queue(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(save_queue, "PATIENCE_SECONDS", 0.0)

    emitted = run_session(tiny_config(corpus, save_every=2), None, blocked(1, 99), writer=BlockedWriter)

    assert saved(emitted)[-1] == ("latest", 12, 12)
    assert latest().step == 12


@pytest.mark.parametrize("command", [c.Stop(), c.Stop(unless_unsaved=True)], ids=["stop", "unless unsaved"])
def test_a_stop_waits_for_the_writer(corpus: Path, command: c.Command) -> None:
    sent: dict[int, list[c.Command]] = {4: [c.SaveCheckpoint(name="four")], 6: [command]}

    emitted = run_session(tiny_config(corpus), None, blocked(3, 99, sent), writer=BlockedWriter)

    assert saved(emitted)[1:] == [("four", 6, 4), ("latest", 6, 6)]
    assert isinstance(emitted[-1], e.RunFinished)


def test_a_checkpoint_that_is_still_being_written_can_be_loaded(corpus: Path) -> None:
    sent: dict[int, list[c.Command]] = {4: [c.SaveCheckpoint(name="four")], 6: [c.LoadCheckpoint(name="four")]}
    on_block = blocked(3, 99, sent)
    has_loaded = False

    def on_event(event: e.Event) -> Iterable[c.Command]:
        nonlocal has_loaded
        if has_loaded:
            return ()
        has_loaded = isinstance(event, e.CheckpointLoaded)
        return on_block(event)

    emitted = run_session(tiny_config(corpus), None, on_event, writer=BlockedWriter)

    assert_valid_stream(emitted)
    assert only(emitted, e.CheckpointLoaded).step == 4
    assert [name for name, _, _ in saved(emitted)] == ["latest", "four", "step-6-before-load", "latest", "latest"]


def test_a_name_that_is_still_being_written_is_taken(corpus: Path) -> None:
    sent: dict[int, list[c.Command]] = {4: [c.SaveCheckpoint(name="mine")], 5: [c.SaveCheckpoint(name="mine")]}

    emitted = run_session(tiny_config(corpus), None, blocked(3, 99, sent), writer=BlockedWriter)

    assert "There is already" in only(emitted, e.CommandRefused).detail
    assert load_checkpoint(named_checkpoint_path("mine")).info.step == 4


# A disk that fails or blocks ------------------------------------------------------------------------------------------


def test_a_disk_that_blocks_is_reported_once_and_checkpoints_without_room_are_named_later(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(save_queue, "PATIENCE_SECONDS", 0.0)

    emitted = run_session(tiny_config(corpus, save_every=2), None, blocked(1, 9), writer=BlockedWriter)

    blocked_warning, works = of_type(emitted, e.Warned)
    assert (blocked_warning.kind, blocked_warning.step) == ("disk", 4)
    assert "step-2 can't be written: the disk has not finished in 0 seconds" in blocked_warning.message
    assert works.message == "Saving works again. Not saved: step-6, step-8."
    assert list(losses(emitted)) == list(range(1, 13))
    assert [name for name, _, _ in saved(emitted)] == ["latest", "step-2", "step-4", "step-10", "step-12", "latest"]


def test_without_room_a_save_by_name_is_refused_in_the_end(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save_queue, "PATIENCE_SECONDS", 0.0)
    sent: dict[int, list[c.Command]] = {step: [c.SaveCheckpoint(name=f"at{step}")] for step in (3, 4, 5)}

    emitted = run_session(tiny_config(corpus), None, blocked(2, 9, sent), writer=BlockedWriter)

    refused = only(emitted, e.CommandRefused)
    assert (refused.command, refused.step) == ("SaveCheckpoint", 5)
    assert [name for name, _, _ in saved(emitted)] == ["latest", "at3", "at4", "latest"]


def test_a_write_that_fails_during_later_steps_is_reported_once_and_refuses_the_command(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []

    def failing(path: Path, *rest: Any) -> None:
        if len(failures) < 3:
            failures.append(path.stem)
            raise StorageError(f"{path} can't be written: No space left on device.")
        write_host_copy(path, *rest)

    def on_event(event: e.Event) -> Iterable[c.Command]:
        if event.step == 2:
            monkeypatch.setattr(write_job, "write_host_copy", failing)
        return on_block(event)

    on_block = blocked(2, 8, {3: [c.SaveLatest()], 5: [c.SaveCheckpoint(name="mine")]})
    emitted = run_session(tiny_config(corpus, save_every=9), None, on_event, writer=BlockedWriter)

    assert_valid_stream(emitted)
    assert failures == ["latest", "mine", "latest"]  # the last is the one at the end
    failed, again = of_type(emitted, e.Warned)
    assert [(event.kind, event.step) for event in (failed, again)] == [("disk", 8), ("disk", 12)]
    assert "the run ends without latest, step-9" in again.message
    refused = only(emitted, e.CommandRefused)
    assert (refused.command, refused.step) == ("SaveCheckpoint", 8)


def test_an_exception_in_the_write_ends_the_run_with_later_steps_saved(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path, *rest: Any) -> None:
        if path.stem == "mine":
            raise ZeroDivisionError("an unexpected exception")
        write_host_copy(path, *rest)

    monkeypatch.setattr(write_job, "write_host_copy", failing)
    sent: dict[int, list[c.Command]] = {3: [c.SaveCheckpoint(name="mine")]}

    emitted = run_session(tiny_config(corpus), None, blocked(2, 7, sent), writer=BlockedWriter)

    failed = emitted[-1]
    assert isinstance(failed, e.RunFailed)
    assert failed.step == latest().step == 7


def test_a_kill_between_the_copy_and_the_rename_leaves_the_checkpoint_before(
    corpus: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files at that moment are what a kill leaves."""
    is_written, may_rename = threading.Event(), threading.Event()
    disk = BrokenDisk()

    class SlowRename:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            return replace if name == "replace" else getattr(disk, name)

    def replace(source: Path, target: Path) -> None:
        if target.stem == "latest" and folder_of_run("tiny").checkpoint_path("latest").exists():
            is_written.set()
            assert may_rename.wait(DEADLINE_SECONDS)
        disk.replace(source, target)

    def on_event(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.StepsFinished) and event.step == 8:
            assert is_written.wait(DEADLINE_SECONDS)
            shutil.copytree(home, tmp_path / "killed")
            may_rename.set()
        return [c.SaveLatest()] if isinstance(event, e.StepsFinished) and event.step == 5 else ()

    monkeypatch.setattr(atomic_write, "os", SlowRename())
    emitted = run_session(tiny_config(corpus, dropout=0.3), None, on_event, writer=CheckpointWriter)

    assert [(name, step) for name, _, step in saved(emitted)] == [("latest", 0), ("latest", 5), ("latest", 12)]
    with home_at(tmp_path / "killed"):
        left = folder_of_run("tiny")
        assert len(list(left.path.rglob("*.tmp"))) == 1
        assert latest().step == 0
        resumed = run_session(resume_config("tiny"))
        assert losses(resumed) == losses(emitted)
        assert not list(left.path.rglob("*.tmp"))

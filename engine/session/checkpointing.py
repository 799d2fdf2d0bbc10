"""The checkpoints of a run in progress: when they are due, what they contain, and how they are written.

The session's thread copies the state (`Snapshots`); a thread of its own checks, hashes and writes the copy
(`SaveQueue`). All else is decided and reported by the session's thread, in `poll` between two steps.

A failed save is tried again at the next autosave, which saves `latest` as of then; a `best` that could not be written
waits in memory, a `step-N` is dropped and named once saving works again.

**Memory.** There is one copy while the disk keeps up. While it does not, there are at most four: the one in progress
and a `best` that is written with it, one in the queue, and a newer `best`. A copy is written as it is; encoding it in
memory took up to three, so this is at most one more.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from engine.checkpoints.catalog import pin_path
from engine.checkpoints.checkpoint import HostCopy, write_host_copy
from engine.checkpoints.format import CheckpointInfo
from engine.checkpoints.management import prune_steps
from engine.compute.device import generator_states
from engine.errors import ConfigError, DeviceMemoryError, DivergedError, StorageError, TweetgenError
from engine.protocol import codec, events
from engine.protocol.commands import SaveCheckpoint
from engine.session.reporter import Reporter
from engine.session.state import Run, RunSetup, RunState
from engine.storage.files import remove_stale_temporaries, storage_errors, write_atomically
from engine.storage.folders import RUN_CHECKPOINTS, RunFolder, home, named_checkpoint_path
from engine.storage.log import versions_of
from engine.training.out_of_memory import OutOfMemoryRetry
from engine.training.schedule import is_due

CHANGE_SECONDS = 2.0
"""Seconds from a change of the settings to its autosave; later changes are saved with the first."""
PATIENCE_SECONDS = 5.0
"""How long a save waits for the one before it, where another one waits already; a disk that takes longer has failed."""
Outcome = Literal["written", "pinned", "not finite"]


class RunCheckpoints:
    """Decides when to save. Used by the session's thread only."""

    def __init__(self, run: Run) -> None:
        self._leader = run.leader
        self.saver = CheckpointSaver(run.setup, run.state, run.reporter, run.oom)
        self._folder = run.setup.folder
        self._state = run.state
        self._reporter = run.reporter
        self._clock = run.state.stopwatch.clock
        self._tried_at = self._clock()
        self._changed_at: float | None = None

    def record_change(self) -> None:
        """Record that a setting changed, so that `latest` is saved soon: a kill must not undo what the user saw."""
        if self._changed_at is None:
            self._changed_at = self._clock()

    def save_if_due(self) -> None:
        """Save `step-N` and `latest` at their intervals, and `latest` soon after a change of the settings."""
        if self._state.trainer.skipped_in_a_row:
            return  # these weights may have diverged
        self.save_step_if_due()
        if self._is_latest_due() or self._is_change_due():
            self._autosave()

    def save_step_if_due(self) -> None:
        """Save `step-N` at its interval."""
        state = self._state
        if is_due(state.step, state.training.save_every, state.progress.last_save_step):
            state.progress.last_save_step = state.step
            self.save(f"step-{state.step}")

    def save_if_changed(self) -> None:
        """Save `latest` soon after a change of the settings, and when a failed save is due for another try."""
        if self._is_change_due() or (self.saver.is_failing and self._is_latest_due()):
            self._autosave()

    def _autosave(self) -> None:
        """Save `latest`, or try again soon where a slow disk has others to write first."""
        if self.saver.accepts_latest:
            self.save("latest")
        else:
            self.saver.warn_if_blocked()

    def _is_latest_due(self) -> bool:
        return self._clock() - self._tried_at >= self._state.training.autosave_seconds

    def _is_change_due(self) -> bool:
        return self._changed_at is not None and self._clock() - self._changed_at >= CHANGE_SECONDS

    def save(
        self, name: str, *, is_asked: bool = False, is_last: bool = False, waits: bool = False
    ) -> TweetgenError | None:
        """Save the run's own `latest`, `best` or `step-N`; if that fails, warn and continue.

        A save that `is_asked` for is tried at once; others wait after a failure of the disk. The run ends with the one
        that `is_last`, which waits for a slow disk to have room. Only with `waits` is the checkpoint on the disk
        afterwards, or the error returned; otherwise training continues meanwhile. Weights that are not finite are not
        saved: a `DivergedError`.
        """
        if name == "latest":
            self._changed_at = None
            self._tried_at = self._clock()
        if is_last:
            self.wait()
        if self._leader is not None:
            self._leader.verify(is_last=is_last)
        with self._state.timer.during("saving"):
            return self.saver.save_own(name, is_asked=is_asked, is_last=is_last, waits=waits)

    def poll(self) -> None:
        """Report the save that is done, if any, and start the next one."""
        self.saver.queue.poll()

    def wait(self) -> None:
        """Wait until all checkpoints that were asked for or due are on the disk, or have failed."""
        with self._state.timer.during("saving"):
            self.saver.queue.wait()

    def close(self) -> None:
        """Wait for the checkpoint that is being written."""
        self.saver.queue.close()

    def save_before_load(self, path: Path) -> None:
        """Save the current weights under a new name before those of `path` replace them; exempt `path` from retention.

        Nothing is saved at step 0, nor where `path` or a checkpoint saved by name holds them. Raises `StorageError`
        where saving fails; then nothing has changed.
        """
        step, saver = self._state.step, self.saver
        if step == 0 or (path, step) == (saver.loaded_path, saver.loaded_step) or saver.is_saved_by_name:
            return
        name = self._folder.name_before_load(step)
        loaded_before, self.saver.loaded_path = self.saver.loaded_path, path
        problem = self.save(name, is_asked=True, waits=True)
        if problem is not None and not isinstance(problem, DivergedError):
            self.saver.loaded_path = loaded_before
            raise StorageError(f"The current weights can't be saved, so nothing was loaded. {problem}", problem.hint)

    def require_saved(self) -> None:
        """Save `latest`. Raises a `TweetgenError` where that fails, with what is lost if the run ends now."""
        problem = self.save("latest", is_asked=True, waits=True)
        if isinstance(problem, DivergedError):
            raise DivergedError(
                "The weights are no longer finite, so they can't be saved; earlier checkpoints are unchanged.",
                "Load a checkpoint, or leave without saving.",
            )
        saved, loaded, step = self.saver.latest_step, self.saver.loaded_step, self._state.step
        if saved == step:
            return
        if saved is not None:
            so_far = f"Only the steps up to {saved:,} are saved"
        elif loaded is not None:
            so_far = f"Nothing is saved since the checkpoint of step {loaded:,} was loaded"
        else:
            so_far = "Nothing is saved"
        lost = step - (saved or loaded or 0)
        raise StorageError(
            f"{so_far}: leaving now loses {lost:,} {'step' if lost == 1 else 'steps'}.",
            problem.hint if problem is not None else "Leave without saving, or try again.",
        )

    def save_named(self, command: SaveCheckpoint) -> None:
        """Save under the user's name. Raises `ConfigError` and `StorageError`; later failures refuse the command."""
        if self._leader is not None:
            self._leader.verify()
        with self._state.timer.during("saving"):
            self.saver.save_named(command)

    def save_after_failure(self) -> None:
        """Save `latest` after an exception, so that a resumed run repeats the step that failed.

        An update that was interrupted may have changed the weights in part; then `latest` stays as it is.
        """
        if self._state.trainer.is_consistent:
            self.save("latest", is_asked=True, is_last=True, waits=True)
            return
        self.wait()
        message = f"The update of step {self._state.step + 1:,} was interrupted: its weights were not saved."
        self._reporter.emit(events.Warned, message=message)


class CheckpointSaver:
    """Saves the checkpoints of one run. Used by the session's thread only, except for `num_asked`."""

    def __init__(self, setup: RunSetup, state: RunState, reporter: Reporter, memory_fallback: OutOfMemoryRetry) -> None:
        self.folder = CheckpointFolder(setup, state, reporter)
        self._setup = setup
        self._state = state
        self._reporter = reporter
        self._memory_fallback = memory_fallback
        self._snapshots = Snapshots(state)
        self.queue = SaveQueue(self._start, self._finish)
        self.loaded_path: Path | None = None
        """The checkpoint that was loaded last, which retention does not delete."""
        self.loaded_step: int | None = None
        """Its step; None where the run has loaded none."""
        start, is_resumed = setup.start, setup.resumed_from == f"{setup.folder.name}/latest"
        self.latest_step = start.step if start is not None and is_resumed else None
        """The step of `latest` on the disk; None before the first save, and while it is older than a load."""
        self.problem: TweetgenError | None = None
        """Why the last save of `latest`, `best` or `step-N` failed; None if it succeeded."""
        self._named: SaveRequest | None = None
        """The last checkpoint that the user saved by name."""
        self._best: SaveRequest | None = None
        """The latest `best`, where it could not be written."""
        self._dropped: list[str] = []

    @property
    def is_failing(self) -> bool:
        """Whether the last write of a checkpoint or of the journal failed."""
        return self.problem is not None or self._reporter.journal.is_failing

    @property
    def accepts_latest(self) -> bool:
        """Whether an autosave would be next, or replace another one."""
        return all(request.name == "latest" and not request.is_asked for request in self.queue.waiting)

    @property
    def num_asked(self) -> int:
        """Saves that the user asked for and that are not done. For any thread."""
        return sum(request.is_asked for request in self.queue.requests)

    # Requests ---------------------------------------------------------------------------------------------------------

    def save_own(
        self, name: str, *, is_asked: bool = False, is_last: bool = False, waits: bool = False
    ) -> TweetgenError | None:
        """Save the run's own `latest`, `best` or `step-N`, and whatever waits to be written.

        A failure is reported once; that of a save that the user `is_asked` for is reported again, and that of the
        `is_last` save names all checkpoints that the end of the run loses. The error is returned if there is one by
        then; with `waits` everything is done by then.
        """
        if self.problem is not None and not is_asked and name not in RUN_CHECKPOINTS:
            self._dropped.append(name)
            return self.problem
        if not is_asked:
            self.queue.replace(name)
        is_waiting_best = name == "best" and bool(self.queue.waiting)
        try:
            with self._memory_fallback.memory_errors("saving"):
                request = self._request(name, self._setup.folder.checkpoint_path(name), needs_room=not is_waiting_best)
        except (StorageError, DeviceMemoryError) as error:
            self._fail(name, error, None, is_asked=is_asked, is_last=is_last)
            return error
        if is_waiting_best:
            self._best = request
            return None
        request.is_asked, request.is_last = is_asked, is_last
        self.queue.add(request)
        if waits:
            self.queue.wait()
        elif request in self.queue.waiting:
            self.warn_if_blocked(is_asked=is_asked)
        return request.problem

    def save_named(self, command: SaveCheckpoint) -> None:
        """Save under a name chosen by the user; the command is answered once that is done.

        Raises `ConfigError` where the name is invalid, taken and not to be replaced, or pinned; `StorageError`.
        """
        name, path = command.name, named_checkpoint_path(command.name)
        if any(request.path == path for request in self.queue.requests):
            self.queue.wait()
        with storage_errors(path):  # the folder may be unreadable
            is_taken, is_pinned = path.exists(), pin_path(path).exists()
        if is_taken and not command.replace:
            raise ConfigError(f"There is already a checkpoint called {name}.", "Choose another name, or replace it.")
        if is_taken and is_pinned:
            raise ConfigError(f"The checkpoint {name} is pinned.", "Choose another name, or unpin it first.")
        request = self._request(name, path)
        request.command, request.is_asked = command, True
        self.queue.add(request)

    def _request(self, name: str, path: Path, *, needs_room: bool = True) -> SaveRequest:
        """Copy the state. Raises `StorageError` where it `needs_room` in the queue and there is none in time."""
        self._reporter.end_bucket()
        if needs_room and not self._snapshots.is_shared:
            self.queue.make_room()
        in_use = self.queue.copies if self._best is None else [*self.queue.copies, self._best.snapshot]
        info = checkpoint_info(self._setup, self._state)
        return SaveRequest(name=name, path=path, info=info, snapshot=self._snapshots.take(in_use))

    def warn_if_blocked(self, *, is_asked: bool = False) -> None:
        """Report a write that takes too long, once, while others wait for it."""
        problem = self.queue.blocked_error
        if problem is not None and self.problem is None:
            self.problem = problem
            self._reporter.warn_of_disk(problem, is_asked=is_asked)

    # Writes -----------------------------------------------------------------------------------------------------------

    def _start(self, request: SaveRequest) -> WriteJob | None:
        """Return what is to be written; None where the disk is failing and the request can wait, or fails."""
        is_own, is_best = request.command is None, request.name == "best"
        best, self._best = (self._best, None) if is_own else (None, self._best)
        if self.problem is not None and request.name != "latest" and not request.is_asked:
            request.problem = self.problem
            self._best = best
            self._postpone(request.name, request)
            return None
        try:
            if is_own:
                if self.folder.recreate_if_gone():
                    self.latest_step = None
                request.journal_problem = self._reporter.flush_journal()
        except StorageError as error:
            self._best = best
            self._fail_request(request, error)
            return None
        return WriteJob(
            request=request,
            best=None if is_best else best,
            folder=self._setup.folder,
            config=self.folder.missing_config if is_own else None,
            num_kept=self._state.training.keep_checkpoints,
            loaded_path=self.loaded_path,
        )

    def _finish(self, job: WriteJob) -> None:
        """Report what a job has done. Raises its exception, unless the disk failed or memory ran out."""
        self.folder.has_config |= job.has_written_config
        for request, outcome in job.outcomes:
            self._report(request, outcome)
        if not job.outcomes:
            self._best = self._best or job.best
        newer = self._best
        try:
            with self._memory_fallback.memory_errors("saving"):
                self.queue.raise_error()
        except (StorageError, DeviceMemoryError) as error:
            self._fail_request(job.request, error)
            self._best = newer or self._best
        else:
            if job.request.command is None and job.outcomes[-1][1] != "not finite":
                self._report_success(job.request)

    def _report(self, request: SaveRequest, outcome: Outcome) -> None:
        """Report the outcome of a request that did not fail."""
        name, command = request.name, request.command
        match outcome:
            case "written":
                if name == "latest" and command is None:
                    self.latest_step = request.info.step
                if command is not None:
                    self._named = request
                self._reporter.emit_saved(name, request.path, request.info)
            case "pinned":
                self._reporter.emit(events.Warned, message=f"{name} is pinned, so it is not replaced.")
            case "not finite":
                request.problem = DivergedError(
                    "The weights are no longer finite, so there is nothing to save.", "Load a checkpoint."
                )
                if command is not None:
                    self._reporter.emit_refusal(command, request.problem)
                    return
                kept = f"The weights are no longer finite: {name} was not saved, and earlier checkpoints are unchanged."
                self._reporter.emit(events.Warned, message=kept, kind="not-finite")

    def _report_success(self, request: SaveRequest) -> None:
        """Report that saving works again, or that only the journal can't be written."""
        self.problem = None
        if request.journal_problem is None:
            dropped, self._dropped = self._dropped, []
            self._reporter.emit_disk_works(f"Not saved: {', '.join(dropped)}." if dropped else "")
        elif not request.is_last:  # at the end the reporter warns of what the journal lacks
            self._reporter.warn_of_disk(request.journal_problem, is_asked=request.is_asked)

    def _fail_request(self, request: SaveRequest, error: TweetgenError) -> None:
        """Report a request that failed."""
        request.problem = error
        if request.command is not None:
            self._reporter.emit_refusal(request.command, error)
        else:
            self._fail(request.name, error, request, is_asked=request.is_asked, is_last=request.is_last)

    def _fail(
        self, name: str, error: TweetgenError, request: SaveRequest | None, *, is_asked: bool, is_last: bool
    ) -> None:
        """Report that one of the run's own checkpoints was not saved; there is no request where it was not copied."""
        self.problem = error
        if name == "best" or not is_asked:  # a `step-N` that is asked for is refused instead
            self._postpone(name, request)
        lost = ["latest", *(["best"] if self._best else []), *self._dropped] if is_last else []
        self._reporter.warn_of_disk(error, is_asked=is_asked, lost=lost)

    def _postpone(self, name: str, request: SaveRequest | None) -> None:
        """Store a `best` until it can be written; drop a `step-N`, and what was not copied."""
        if name == "best" and request is not None:
            self._best = request
        elif name != "latest":
            self._dropped.append(name)

    @property
    def is_saved_by_name(self) -> bool:
        """Whether the user has saved the current state, its settings included, by name, and the file still exists."""
        named = self._named
        return named is not None and named.info == checkpoint_info(self._setup, self._state) and named.path.is_file()

    def record_load(self, path: Path) -> None:
        """Record that the checkpoint at `path` was loaded; unless it is `latest`, there is no `latest` of it yet."""
        self._snapshots.forget_step()
        self.loaded_path, self.loaded_step = path, self._state.step
        self.latest_step = self._state.step if path == self._setup.folder.checkpoint_path("latest") else None


class SaveQueue:
    """The requests of one run. Used by the session's thread only, except for `requests`."""

    def __init__(self, start: Callable[[SaveRequest], WriteJob | None], finish: Callable[[WriteJob], None]) -> None:
        """`start` returns what is to be written for a request, or None where nothing is.

        `finish` is called once a job has ended, or raised: `raise_error` raises its exception.
        """
        self._start = start
        self._finish = finish
        self._writer = CheckpointWriter()
        self._job: WriteJob | None = None
        self._began = 0.0
        self._waiting: list[SaveRequest] = []

    @property
    def requests(self) -> list[SaveRequest]:
        """All requests that are not done. For any thread."""
        job = self._job
        return [*self._waiting] if job is None else [job.request, *self._waiting]

    @property
    def waiting(self) -> list[SaveRequest]:
        """The requests that wait."""
        return self._waiting

    @property
    def copies(self) -> list[HostCopy]:
        """The copies that are not written yet."""
        best = None if self._job is None else self._job.best
        return [request.snapshot for request in (*self.requests, best) if request is not None]

    def add(self, request: SaveRequest) -> None:
        """Add a request, and start to write it if nothing else is written."""
        self._waiting.append(request)
        self.poll()

    def replace(self, name: str) -> None:
        """Remove what waits under that name, unless the user asked for it: a newer one takes its place."""
        self._waiting = [request for request in self._waiting if request.name != name or request.is_asked]

    def make_room(self) -> None:
        """Wait until no request waits. Raises `StorageError` where the disk takes longer than `PATIENCE_SECONDS`."""
        if not self._waiting:
            return
        self._writer.join(max(0.0, self._began + PATIENCE_SECONDS - time.monotonic()))
        self.poll()
        if self._waiting:
            raise self._blocked_error()

    @property
    def blocked_error(self) -> StorageError | None:
        """The error of a write that has taken longer than `PATIENCE_SECONDS`; None if there is no such write."""
        is_blocked = self._job is not None and time.monotonic() >= self._began + PATIENCE_SECONDS
        return self._blocked_error() if is_blocked else None

    def _blocked_error(self) -> StorageError:
        name = self.requests[0].name
        return StorageError(
            f"{name} can't be written: the disk has not finished in {time.monotonic() - self._began:.0f} seconds.",
            "Set TWEETGEN_HOME to another disk.",
        )

    def poll(self) -> None:
        """Finish the write that has ended and start the next one; otherwise return at once.

        Raises what `start` and `finish` raise; the queue can still be used.
        """
        while not self._writer.is_running:
            if self._job is not None:
                job, self._job = self._job, None
                self._finish(job)
            elif self._waiting:
                started = self._start(self._waiting.pop(0))
                if started is not None:
                    self._job, self._began = started, time.monotonic()
                    self._writer.start(started.run)
            else:
                return

    def raise_error(self) -> None:
        """Raise the exception of the job that has ended, if any."""
        self._writer.raise_error()

    def wait(self) -> None:
        """Wait until all requests are done."""
        self.poll()
        while self._job is not None:
            self._writer.join()
            self.poll()

    def close(self) -> None:
        """Wait for the write in progress, and finish nothing."""
        self._writer.join()


@dataclass(kw_only=True, eq=False)
class SaveRequest:
    """A checkpoint that is to be written."""

    name: str
    path: Path
    info: CheckpointInfo
    snapshot: HostCopy
    command: SaveCheckpoint | None = None
    """The command that asks for a checkpoint under the user's name; None for one of the run's own."""
    is_asked: bool = False
    """Whether the user asked for it."""
    is_last: bool = False
    """Whether the run ends with it."""
    problem: TweetgenError | None = None
    """Why it was not written; None while that is not known."""
    journal_problem: StorageError | None = None
    """Why the events before it are not in the journal."""


@dataclass(kw_only=True, eq=False)
class WriteJob:
    """One request, and what is written before and deleted after it."""

    request: SaveRequest
    best: SaveRequest | None
    """A `best` that waits."""
    folder: RunFolder
    config: bytes | None
    """The content of a missing `config.json`."""
    num_kept: int
    """`keep_checkpoints`."""
    loaded_path: Path | None
    has_written_config: bool = False
    outcomes: list[tuple[SaveRequest, Outcome]] = field(default_factory=list)
    """Of each request that did not fail."""

    def run(self) -> None:
        """Write all files. Raises `StorageError`."""
        if self.config is not None:
            write_atomically(self.folder.config_path, self.config)
            self.has_written_config = True
        for request in (self.best, self.request):
            if request is not None:
                self.outcomes.append((request, self._write(request)))
        request, outcome = self.outcomes[-1]
        if outcome == "written" and request.command is None and request.name not in RUN_CHECKPOINTS:
            prune_steps(self.folder, self.num_kept, request.info.step, self.loaded_path)

    def _write(self, request: SaveRequest) -> Outcome:
        """Write a checkpoint, if it may be. Raises `StorageError`."""
        if request.command is None and is_pinned_step(request.path):
            return "pinned"
        request.snapshot.wait()
        if not request.snapshot.is_finite:
            return "not finite"
        write_host_copy(request.path, request.info, request.snapshot)
        return "written"


def is_pinned_step(path: Path) -> bool:
    """Return whether a checkpoint of a run is a pinned `step-N`. Raises `StorageError`."""
    with storage_errors(path):
        return path.stem not in RUN_CHECKPOINTS and pin_path(path).exists()


class CheckpointWriter:
    """Runs one job at a time on a daemon thread, which does not keep the process from ending. Used by one thread."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, job: Callable[[], None]) -> None:
        """Run `job` on a thread; none may be running."""

        def run() -> None:
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - raised by `raise_error`
                self._error = error

        self._thread = threading.Thread(target=run, name="checkpoint writer", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the job has not ended yet."""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout_seconds: float | None = None) -> None:
        """Wait until the job has ended, if there is one."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def raise_error(self) -> None:
        """Raise what the last job raised, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error


def checkpoint_tensors(state: RunState) -> dict[str, Tensor]:
    """Return weights, optimizer state and the states of the global generators (`generator.`); not copies."""
    return state.trainer.state() | _generator_tensors(state)


def _generator_tensors(state: RunState) -> dict[str, Tensor]:
    """Return the states of the generators; of several processes, `generator.DEVICE.RANK` are those of the workers."""
    device = state.runtime.device
    generators = {f"generator.{name}": tensor for name, tensor in generator_states(device).items()}
    return generators | {f"generator.{device.type}.{rank}": tensor for rank, tensor in state.rank_generators.items()}


class Snapshots:
    """Copies of a run's state for its checkpoints. Used by the session's thread only.

    Checkpoints of one step share a copy, and a later copy reuses the memory of one that is no longer in use. So there
    is one in a run whose disk keeps up; `CheckpointSaver` limits their number where it does not.
    """

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._copies: list[HostCopy] = []
        """The one taken last is the last."""
        self._step: int | None = None
        """Of the last copy; None where it is not that of the run's state any more."""

    def forget_step(self) -> None:
        """Share no copy taken so far: the state was replaced."""
        self._step = None

    @property
    def is_shared(self) -> bool:
        """Whether `take` returns the last copy."""
        if self._step != self._state.step:
            return False
        tensors = self._copies[-1].tensors
        generators = _generator_tensors(self._state)
        return all(name in tensors and torch.equal(state, tensors[name]) for name, state in generators.items())

    def take(self, in_use: Collection[HostCopy]) -> HostCopy:
        """Return a copy of the state. `in_use` are the copies that are not written yet.

        Raises what torch raises where memory runs out; then no memory is kept for later copies.
        """
        if self.is_shared:
            return self._copies[-1]
        self._step = None
        spare = next((copy for copy in self._copies if copy not in in_use), None)
        self._copies = [copy for copy in self._copies if copy in in_use]
        self._copies.append(HostCopy.of(checkpoint_tensors(self._state), spare))
        self._step = self._state.step
        return self._copies[-1]


def checkpoint_info(setup: RunSetup, state: RunState) -> CheckpointInfo:
    """Return the metadata of a checkpoint of this moment. All steps must have been reported."""
    data, progress = setup.training_data, state.progress
    return CheckpointInfo(
        run=setup.folder.name,
        corpus_name=data.corpus.name,
        corpus=data.config,
        corpus_digest=data.corpus.digest,
        model=state.model_config,
        training=state.training,
        sampling=state.sampling,
        vocab=data.vocab.chars,
        device=state.runtime.device.type,
        precision=state.runtime.precision,
        num_threads=state.runtime.num_threads,
        tuning=state.runtime.tuning,
        world_size=data.part.world_size,
        step=state.step,
        position=state.resume_position,
        elapsed_seconds=state.stopwatch.seconds,
        total_chars=progress.total_chars,
        last_sample_step=progress.last_sample_step,
        num_exact_samples=progress.num_exact_samples,
        last_eval_step=progress.last_eval_step,
        is_eval_early=progress.is_eval_early,
        last_save_step=progress.last_save_step,
        train_loss=progress.train_loss,
        val_loss=progress.val_loss,
        bits_per_char=progress.bits_per_char,
        best_bits_per_char=progress.best_bits_per_char,
        finish=progress.finish,
        versions=versions_of("tweetgen-tui", "torch", "safetensors"),
    )


def config_content(setup: RunSetup, state: RunState) -> bytes:
    """Return the content of `config.json`: the settings and the runtime of the run, for people and scripts."""
    settings = {
        "corpus": setup.training_data.config,
        "model": state.model_config,
        "training": state.training,
        "sampling": state.sampling,
        "device": state.runtime.device.type,
        "precision": state.runtime.precision,
        "num_threads": state.runtime.num_threads,
        "world_size": setup.training_data.part.world_size,
        "backend": "" if setup.ranks is None else setup.ranks.backend,
        "resumed_from": setup.resumed_from,
    }
    return codec.pretty(settings).encode()


class CheckpointFolder:
    """The folder of one run. Used by the session's thread only."""

    def __init__(self, setup: RunSetup, state: RunState, reporter: Reporter) -> None:
        self._setup = setup
        self._state = state
        self._reporter = reporter
        self.has_config = False
        """Whether `config.json` is written."""

    @property
    def missing_config(self) -> bytes | None:
        """The content of `config.json` where it is to be written; None where it is there."""
        return None if self.has_config else config_content(self._setup, self._state)

    def prepare(self) -> None:
        """Write `config.json`, and remove temporary files of killed processes: other programs are locked out.

        A disk that fails is reported by the first save.
        """
        folder = self._setup.folder
        with contextlib.suppress(StorageError):
            write_atomically(folder.config_path, config_content(self._setup, self._state))
            self.has_config = True
        for part in (folder.path, folder.checkpoint_path("latest").parent):
            remove_stale_temporaries(part, min_age_seconds=0.0)
        remove_stale_temporaries(home() / "checkpoints")

    def recreate_if_gone(self) -> bool:
        """Recreate the run's folder, or its journal, where it was deleted, and warn of it. Raises `StorageError`.

        Returns whether all checkpoints are gone.
        """
        folder, state = self._setup.folder, self._state
        with storage_errors(folder.config_path):
            is_there = folder.config_path.exists()
        settings = {"model": state.model_config, "training": state.training, "sampling": state.sampling}
        progress = {"epochs": state.batches.epochs, "started_at": time.time()}
        if not self._reporter.journal.recreate_if_missing(**settings, **progress):
            return False
        what = "journal" if is_there else "folder"
        self.has_config = is_there
        message = f"The {what} of the run {folder.name} was deleted; it was created again, without its former contents."
        self._reporter.emit(events.Warned, message=message)
        return not is_there

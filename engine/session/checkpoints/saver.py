"""`CheckpointSaver`: the checkpoints of a run on their way to the disk; it survives a disk that fails or blocks.

The session's thread copies the state (`Snapshots`); a thread of its own checks, hashes and writes the copy
(`SaveQueue`). All else is decided and reported by the session's thread, in `poll` between two steps.

A failed save is tried again at the next autosave, which saves `latest` as of then; a `best` that could not be written
waits in memory, a `step-N` is dropped and named once saving works again.

**Memory.** There is one copy while the disk keeps up. While it does not, there are at most four: the one in progress
and a `best` that is written with it, one in the queue, and a newer `best`. A copy is written as it is; encoding it in
memory took up to three, so this is at most one more.
"""

from __future__ import annotations

from pathlib import Path

from engine.checkpoints.catalog import pin_path
from engine.errors import ConfigError, DeviceMemoryError, DivergedError, StorageError, TweetgenError
from engine.protocol import events
from engine.protocol.commands import SaveCheckpoint
from engine.session.checkpoints.checkpoint_folder import CheckpointFolder
from engine.session.checkpoints.save_queue import SaveQueue
from engine.session.checkpoints.snapshot import Snapshots, checkpoint_info
from engine.session.checkpoints.write_job import Outcome, SaveRequest, WriteJob
from engine.session.memory_fallback import MemoryFallback
from engine.session.reporter import Reporter
from engine.session.state import RunSetup, RunState
from engine.storage.files import storage_errors
from engine.storage.folders import RUN_CHECKPOINTS, named_checkpoint_path


class CheckpointSaver:
    """Saves the checkpoints of one run. Used by the session's thread only, except for `num_asked`."""

    def __init__(self, setup: RunSetup, state: RunState, reporter: Reporter, memory_fallback: MemoryFallback) -> None:
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

"""The checkpoints of a run in progress: when they are due, and how they are copied, written and reported.

A save passes through this file from top to bottom. `Checkpointing.save` copies the state between two steps, which is
all that delays training, and appends the copy to a list. A thread (`Writer`) checks, hashes and writes it (`write`).
`poll`, between two later steps, reports what is written and starts the next write.

A failed save is tried again at the next autosave, which saves `latest` as of then; a `best` that could not be written
waits in memory, a `step-N` is dropped and named once saving works again.

**Memory.** There is one copy while the disk keeps up. While it does not, there are at most four: the one in progress
and a `best` that is written with it, one that waits, and a newer `best`. A copy is written as it is; encoding it in
memory took up to three, so this is at most one more.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from engine.checkpoints.catalog import pin_path
from engine.checkpoints.checkpoint import HostSnapshot, write_checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.checkpoints.management import prune_steps
from engine.errors import ConfigError, DeviceMemoryError, DivergedError, StorageError, TweetgenError
from engine.protocol.commands import SaveCheckpoint
from engine.protocol.events import Warned
from engine.session.state import Run
from engine.storage.files import remove_stale_temporaries, storage_errors, write_atomically
from engine.storage.folders import RUN_CHECKPOINTS, RunFolder, home, named_checkpoint_path
from engine.training.schedule import is_due

CHANGE_SECONDS = 2.0
"""Seconds from a change of the settings to its autosave; later changes are saved with the first."""
PATIENCE_SECONDS = 5.0
"""How long a save waits for the one before it, where another one waits already; a disk that takes longer has failed."""


@dataclass(kw_only=True, eq=False)
class Save:
    """A checkpoint that is to be written."""

    name: str
    path: Path
    info: CheckpointInfo
    copy: HostSnapshot
    command: SaveCheckpoint | None = None
    """The command that asks for a checkpoint under the user's name; None for one of the run's own."""
    user_requested: bool = False
    is_last: bool = False
    """Whether the run ends with it."""
    outcome: Literal["written", "pinned", "not finite"] | None = None
    """Set by the writer's thread, unless it fails."""
    problem: TweetgenError | None = None
    """Why it was not written; None while that is not known."""
    journal_problem: StorageError | None = None
    """Why the events before it are not in the journal."""

    @property
    def is_best(self) -> bool:
        """Whether it is the run's own `best`."""
        return self.command is None and self.name == "best"

    @property
    def is_numbered(self) -> bool:
        """Whether it is one of the run's own `step-N...`."""
        return self.command is None and self.name not in RUN_CHECKPOINTS


class Checkpointing:
    """Saves the checkpoints of one run. Used by the session's thread only, except for `num_requested`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._folder = run.setup.folder
        self._clock = run.state.stopwatch.clock
        self._tried_at = self._clock()
        """When a save of `latest` was last tried."""
        self._changed_at: float | None = None
        """When a setting was changed first since then."""
        self._waiting: list[Save] = []
        """All that wait but `_best`, in the order in which they will be written."""
        self._best: Save | None = None
        """The newest `best` that waits: it goes before the next save of the run's own, or once nothing else waits."""
        self._writer = Writer()
        self._writing: list[Save] = []
        """What the writer's thread works on: a save, and maybe a `best` before it."""
        self._write_began = 0.0
        self._problem: TweetgenError | None = None
        """Why the last write of a checkpoint of the run's own failed; None if it succeeded."""
        self._dropped: list[str] = []
        """Names of checkpoints that were not saved because of such a problem."""
        self._copies: list[HostSnapshot] = []
        self._copied_step: int | None = None
        """The step of the last copy; None where the state was replaced since."""
        self._named: tuple[Path, CheckpointInfo] | None = None
        """The last checkpoint that was written under a name of the user's."""
        self._loaded_path: Path | None = None
        """The checkpoint that was loaded last, which retention does not delete."""
        self._loaded_step: int | None = None
        start, is_resumed = run.setup.start, run.setup.resumed_from == f"{self._folder.name}/latest"
        self._latest_step = start.step if start is not None and is_resumed else None
        """The step of `latest` on the disk; None before the first save, and while it is older than a load."""
        self._has_config = False
        """Whether `config.json` is written."""

    @property
    def num_requested(self) -> int:
        """Saves that the user asked for and that are not done. For any thread."""
        return sum(save.user_requested for save in (*self._writing, *self._waiting))

    # When -------------------------------------------------------------------------------------------------------------

    def record_change(self) -> None:
        """Record that a setting changed, so that `latest` is saved soon: a kill must not undo what the user saw."""
        if self._changed_at is None:
            self._changed_at = self._clock()

    def save_if_due(self) -> None:
        """Save `step-N` and `latest` at their intervals, and `latest` soon after a change of the settings."""
        if self._run.state.trainer.skipped_in_a_row:
            return  # these weights may have diverged
        self.save_step_if_due()
        self._autosave()

    def save_step_if_due(self) -> None:
        """Save `step-N` at its interval."""
        state = self._run.state
        if is_due(state.step, state.training.save_every, state.progress.last_save_step):
            state.progress.last_save_step = state.step
            self.save(f"step-{state.step}")

    def save_if_changed(self) -> None:
        """Save `latest` soon after a change of the settings, and when a failed save is due for another try."""
        self._autosave(has_news=self._problem is not None or self._run.reporter.journal.is_failing)

    def _autosave(self, *, has_news: bool = True) -> None:
        """Save `latest` if it is due, or try again soon where a slow disk has others to write first.

        Unless it `has_news`, only a change of the settings makes it due.
        """
        now = self._clock()
        is_due = has_news and now - self._tried_at >= self._run.state.training.autosave_seconds
        if is_due or (self._changed_at is not None and now - self._changed_at >= CHANGE_SECONDS):
            if all(save.name == "latest" and not save.user_requested for save in self._waiting):
                self.save("latest")
            else:
                self._warn_if_blocked()

    # Saves ------------------------------------------------------------------------------------------------------------

    def save(
        self, name: str, *, user_requested: bool = False, is_last: bool = False, waits: bool = False
    ) -> TweetgenError | None:
        """Save the run's own `latest`, `best` or `step-N`; if that fails, warn and continue.

        What is `user_requested` is tried, and its failure reported, in any case; others wait after a failure of the
        disk, which is reported once. The save that `is_last` waits for all others; if it fails, it names what is lost.
        Only with `waits` is the checkpoint on the disk afterwards, or the error returned.
        """
        if name == "latest":
            self._changed_at, self._tried_at = None, self._clock()
        if is_last:
            self.wait()
        if self._run.leader is not None:
            self._run.leader.verify(is_last=is_last)
        if self._problem is not None and not user_requested and name not in RUN_CHECKPOINTS:
            self._dropped.append(name)
            return self._problem
        if not user_requested:  # a newer one takes its place
            self._waiting = [save for save in self._waiting if save.name != name or save.user_requested]
        with self._run.state.timer.during("saving"):
            try:
                with self._run.oom.memory_errors("saving"):
                    path = self._folder.checkpoint_path(name)
                    save = self._copied(name, path, user_requested=user_requested, is_last=is_last)
            except (StorageError, DeviceMemoryError) as error:
                if name != "latest" and not user_requested:
                    self._dropped.append(name)
                self._report_failure(error, user_requested=user_requested, is_last=is_last)
                return error
            self._add(save)
            if waits:
                self.wait()
            elif save not in self._writing:
                self._warn_if_blocked(user_requested=user_requested)
            return save.problem

    def save_named(self, command: SaveCheckpoint) -> None:
        """Save under a name chosen by the user; the command is answered once that is done.

        Raises `ConfigError` where the name is invalid, taken and not to be replaced, or pinned; `StorageError`, and
        what torch raises where memory runs out.
        """
        if self._run.leader is not None:
            self._run.leader.verify()
        with self._run.state.timer.during("saving"):
            name, path = command.name, named_checkpoint_path(command.name)
            if any(save.path == path for save in (*self._writing, *self._waiting)):
                self.wait()
            with storage_errors(path):  # the folder may be unreadable
                is_taken, is_pinned = path.exists(), pin_path(path).exists()
            if is_taken and not command.replace:
                raise ConfigError(
                    f"There is already a checkpoint called {name}.", "Choose another name, or replace it."
                )
            if is_taken and is_pinned:
                raise ConfigError(f"The checkpoint {name} is pinned.", "Choose another name, or unpin it first.")
            self._add(self._copied(name, path, command=command, user_requested=True))

    def save_before_load(self, path: Path) -> None:
        """Save the current weights under a new name before those of `path` replace them; exempt `path` from retention.

        Nothing is saved at step 0, nor where `path` or a checkpoint saved by name holds them. Raises `StorageError`
        where saving fails; then nothing has changed.
        """
        step, loaded_before = self._run.state.step, self._loaded_path
        named_path, named_info = self._named or (path, None)
        is_named = named_info == self._run.checkpoint_info() and named_path.is_file()
        if step == 0 or (path, step) == (loaded_before, self._loaded_step) or is_named:
            return
        self._loaded_path = path
        problem = self.save(self._folder.name_before_load(step), user_requested=True, waits=True)
        if problem is not None and not isinstance(problem, DivergedError):
            self._loaded_path = loaded_before
            raise StorageError(f"The current weights can't be saved, so nothing was loaded. {problem}", problem.hint)

    def record_load(self, path: Path) -> None:
        """Record that the checkpoint at `path` was loaded; unless it is `latest`, there is no `latest` of it yet."""
        self._copied_step = None
        self._loaded_path, self._loaded_step = path, self._run.state.step
        self._latest_step = self._loaded_step if path == self._folder.checkpoint_path("latest") else None

    def require_saved(self) -> None:
        """Save `latest`. Raises a `TweetgenError` where that fails, with what is lost if the run ends now."""
        problem = self.save("latest", user_requested=True, waits=True)
        if isinstance(problem, DivergedError):
            raise DivergedError(
                "The weights are no longer finite, so they can't be saved; earlier checkpoints are unchanged.",
                "Load a checkpoint, or leave without saving.",
            )
        saved, loaded, step = self._latest_step, self._loaded_step, self._run.state.step
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

    def save_after_failure(self) -> None:
        """Save `latest` after an exception, so that a resumed run repeats the step that failed.

        An update that was interrupted may have changed the weights in part; then `latest` stays as it is.
        """
        state = self._run.state
        if state.trainer.is_consistent:
            self.save("latest", user_requested=True, is_last=True, waits=True)
            return
        self.wait()
        message = f"The update of step {state.step + 1:,} was interrupted: its weights were not saved."
        self._run.reporter.emit(Warned, message=message)

    # The copy ---------------------------------------------------------------------------------------------------------

    def _copied(self, name: str, path: Path, **how: Any) -> Save:  # noqa: ANN401 - fields of `Save`
        """Report all steps so far, and copy the state; saves of one step share a copy, if no random number was drawn.

        All but the run's `best` need room: no other save may wait. Raises `StorageError` where the disk gives none in
        time, and what torch raises where memory runs out; then no memory is kept for later copies.
        """
        run = self._run
        run.reporter.end_bucket()
        is_copied = self._copied_step == run.state.step and self._copies[-1].has(run.state.generators())
        if not is_copied and self._waiting and (name != "best" or "command" in how):
            self._writer.join(max(0.0, self._write_began + PATIENCE_SECONDS - time.monotonic()))
            self.poll()
            if self._waiting:
                raise self._blocked_error()
        info = run.checkpoint_info()
        if not is_copied:
            self._copied_step = None
            in_use = [save.copy for save in (*self._writing, *self._waiting, self._best) if save is not None]
            spare = next((copy for copy in self._copies if copy not in in_use), None)
            self._copies = [copy for copy in self._copies if copy in in_use]
            self._copies.append(HostSnapshot.of(run.state.trainer.state() | run.state.generators(), spare))
            self._copied_step = run.state.step
        return Save(name=name, path=path, info=info, copy=self._copies[-1], **how)

    def _warn_if_blocked(self, *, user_requested: bool = False) -> None:
        """Report a write that takes too long, once, while others wait for it."""
        is_blocked = bool(self._writing) and time.monotonic() >= self._write_began + PATIENCE_SECONDS
        if is_blocked and self._problem is None:
            self._report_failure(self._blocked_error(), user_requested=user_requested)

    def _blocked_error(self) -> StorageError:
        seconds = time.monotonic() - self._write_began
        return StorageError(
            f"{self._writing[-1].name} can't be written: the disk has not finished in {seconds:.0f} seconds.",
            "Set TWEETGEN_HOME to another disk.",
        )

    def _add(self, save: Save) -> None:
        """Append a save to what waits, and start to write it if nothing else is written."""
        if save.is_best:
            self._best = save
        else:
            self._waiting.append(save)
        self.poll()

    # Writes -----------------------------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Report the write that has ended and start the next one; otherwise return at once.

        Raises the exception of a write, unless the disk failed or memory ran out.
        """
        while not self._writer.is_running:
            if self._writing:
                written, self._writing = self._writing, []
                self._finish(written)
            elif self._waiting:
                self._start(self._waiting.pop(0))
            elif self._best is not None and self._problem is None:
                best, self._best = self._best, None
                self._start(best)
            else:
                return

    def wait(self) -> None:
        """Wait until all checkpoints that were asked for or due are on the disk, or have failed."""
        with self._run.state.timer.during("saving"):
            self.poll()
            while self._writing:
                self._writer.join()
                self.poll()

    def close(self) -> None:
        """Wait for the write in progress, and report nothing."""
        self._writer.join()

    def _start(self, save: Save) -> None:
        """Start to write a save, with a `best` that waits before it."""
        saves, config = [save], None
        if save.command is None:
            try:
                self._recreate_folder()
                save.journal_problem = self._run.reporter.flush_journal()
            except StorageError as error:
                self._fail(save, error)
                return
            config = None if self._has_config else self._run.config_content()
            saves = [save] if self._best is None else [self._best, save]
            self._best = None
        self._writing, self._write_began = saves, time.monotonic()
        num_kept = self._run.state.training.keep_checkpoints
        self._writer.start(partial(write, saves, self._folder, config, num_kept, self._loaded_path))

    def _finish(self, saves: list[Save]) -> None:
        """Report what was written. Raises the exception of the thread, unless the disk failed or memory ran out."""
        for save in saves:
            if save.outcome is not None:
                self._report(save)
            elif save.is_best:
                self._best = self._best or save
        save, reporter = saves[-1], self._run.reporter
        try:
            with self._run.oom.memory_errors("saving"):
                self._writer.raise_error()
        except (StorageError, DeviceMemoryError) as error:
            self._fail(save, error)
            return
        if save.command is not None:
            return
        self._has_config = True
        if save.outcome == "not finite":
            return
        self._problem = None
        if save.journal_problem is None:
            dropped, self._dropped = self._dropped, []
            reporter.emit_disk_works(f"Not saved: {', '.join(dropped)}." if dropped else "")
        elif not save.is_last:  # at the end the reporter warns of what the journal lacks
            reporter.warn_of_disk(save.journal_problem, is_asked=save.user_requested)

    def _report(self, save: Save) -> None:
        """Report the outcome of a save that did not fail."""
        reporter = self._run.reporter
        if save.outcome == "written":
            if save.command is not None:
                self._named = save.path, save.info
            elif save.name == "latest":
                self._latest_step = save.info.step
            reporter.emit_saved(save.name, save.path, save.info)
        elif save.outcome == "pinned":
            reporter.emit(Warned, message=f"{save.name} is pinned, so it is not replaced.")
        else:
            lost = "The weights are no longer finite"
            save.problem = DivergedError(f"{lost}, so there is nothing to save.", "Load a checkpoint.")
            if save.command is not None:
                reporter.emit_refusal(save.command, save.problem)
            else:
                message = f"{lost}: {save.name} was not saved, and earlier checkpoints are unchanged."
                reporter.emit(Warned, message=message, kind="not-finite")

    def _fail(self, save: Save, error: TweetgenError) -> None:
        """Report a save that failed; a `best` waits for the next one, a `step-N` is dropped unless it was asked for."""
        save.problem = error
        if save.command is not None:
            self._run.reporter.emit_refusal(save.command, error)
            return
        if save.is_best:
            self._best = self._best or save
        elif save.is_numbered and not save.user_requested:
            self._dropped.append(save.name)
        self._report_failure(error, user_requested=save.user_requested, is_last=save.is_last)

    def _report_failure(self, error: TweetgenError, *, user_requested: bool, is_last: bool = False) -> None:
        """Warn that one of the run's own checkpoints is not saved; at the end of the run, name all that are lost."""
        self._problem = error
        lost = ["latest", *(["best"] if self._best else []), *self._dropped] if is_last else []
        self._run.reporter.warn_of_disk(error, is_asked=user_requested, lost=lost)

    # The run's folder -------------------------------------------------------------------------------------------------

    def prepare_folder(self) -> None:
        """Write `config.json`, and remove temporary files of killed processes: other programs are locked out.

        A disk that fails is reported by the first save.
        """
        with contextlib.suppress(StorageError):
            write_atomically(self._folder.config_path, self._run.config_content())
            self._has_config = True
        for part in (self._folder.path, self._folder.checkpoint_path("latest").parent):
            remove_stale_temporaries(part, min_age_seconds=0.0)
        remove_stale_temporaries(home() / "checkpoints")

    def _recreate_folder(self) -> None:
        """Recreate the run's folder, or its journal, where it was deleted, and warn of it. Raises `StorageError`."""
        state, reporter = self._run.state, self._run.reporter
        with storage_errors(self._folder.config_path):
            has_folder = self._folder.config_path.exists()
        settings = {"model": state.model_config, "training": state.training, "sampling": state.sampling}
        progress = {"epochs": state.batches.epochs, "started_at": time.time()}
        if not reporter.journal.recreate_if_missing(**settings, **progress):
            return
        self._has_config = has_folder
        if not has_folder:
            self._latest_step = None
        deleted = f"The {'journal' if has_folder else 'folder'} of the run {self._folder.name} was deleted"
        reporter.emit(Warned, message=f"{deleted}; it was created again, without its former contents.")


def write(saves: list[Save], folder: RunFolder, config: bytes | None, num_kept: int, loaded_path: Path | None) -> None:
    """Write saves in order, set their outcomes, and delete old `step-N`. Raises `StorageError`.

    The writer's thread runs it: it reads nothing of the run but its arguments, and computes with NumPy only. `config`
    is the content of a missing `config.json`, `num_kept` the setting `keep_checkpoints`.
    """
    if config is not None:
        write_atomically(folder.config_path, config)
    for save in saves:
        with storage_errors(save.path):
            is_pinned = save.is_numbered and pin_path(save.path).exists()
        if is_pinned:
            save.outcome = "pinned"
            continue
        save.copy.wait()
        if not save.copy.is_finite:
            save.outcome = "not finite"
            continue
        write_checkpoint(save.path, save.info, save.copy)
        save.outcome = "written"
        if save.is_numbered:
            prune_steps(folder, num_kept, save.info.step, loaded_path)


class Writer:
    """Runs one write at a time on a daemon thread, which does not keep the process from ending. Used by one thread."""

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

"""The checkpoints of a run in progress: when they are due, and how they are copied, written and reported.

`Checkpointing.save` copies the state between two steps and appends the copy to a list. A thread (`Writer`) checks,
hashes and writes it. `poll`, between two later steps, reports what is written and starts the next write. So training
waits for the copy, for the journal and, if the disk is too slow, up to `PATIENCE_SECONDS` for the write in progress.

A failed save is tried again at the next autosave, which saves `latest` of that step. A `best` that could not be written
waits in memory and is tried before each later save, which does not depend on it; it is skipped while neither journal
nor `latest` can be written. A `step-N` is dropped, and named once saving works again.

**Memory.** There is one copy while the disk keeps up. While it does not, there are at most four: the one in progress
and a `best` that is written with it, one that waits, and a newer `best`.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from engine.checkpoints.catalog import pin_path
from engine.checkpoints.checkpoint import HostSnapshot
from engine.checkpoints.format import CheckpointInfo
from engine.checkpoints.writer import Save, Writer
from engine.errors import ConfigError, DeviceMemoryError, DivergedError, StorageError, TweetgenError
from engine.protocol.commands import SaveCheckpoint
from engine.protocol.events import Warned
from engine.session.state import Run
from engine.storage.files import remove_stale_temporaries, storage_errors, write_atomically
from engine.storage.folders import RUN_CHECKPOINTS, home, named_checkpoint_path
from engine.text import counted
from engine.training.schedule import is_due

CHANGE_SECONDS = 2.0
"""Seconds from a change of the settings to its autosave; later changes are saved with the first."""
PATIENCE_SECONDS = 5.0
"""How long a save waits for the one before it, where another one waits already; a disk that takes longer has failed."""


class Checkpointing:
    """Saves the checkpoints of one run. Used by the session's thread only, except for `num_required`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._folder = run.setup.folder
        self._clock = run.state.stopwatch.clock
        self._tried_at = self._clock()
        """When an autosave was last tried."""
        self._changed_at: float | None = None
        """When a setting was changed first since then."""
        self._waiting: list[Save] = []
        """Copied and not started, without `_best`, in the order in which they will be written."""
        self._best: Save | None = None
        """The newest `best` that waits: written before the run's next own save, or once nothing else waits."""
        self._writer: Writer | None = None
        """The write in progress, or the one that has ended and is not reported yet."""
        self._problem: TweetgenError | None = None
        """Why no copy was made, or `latest` or `step-N` not written; None once one of the run's own was written."""
        self._dropped: list[str] = []
        """Names of checkpoints that were not saved because of such a problem."""
        self._is_saved = False
        """Whether `require_saved` has saved the state with which the run ends."""
        self._is_ending = False
        self._copies: list[HostSnapshot] = []
        self._copied_step: int | None = None
        """The step of the last copy; None where the state was replaced since."""
        self._named: tuple[Path, CheckpointInfo] | None = None
        """The last checkpoint that was written under a name of the user's."""
        self._loaded: tuple[Path, int] | None = None
        """The checkpoint that was loaded last, which retention does not delete, and its step."""
        start, is_resumed = run.setup.start, run.setup.resumed_from == f"{self._folder.name}/latest"
        self._latest_step = start.step if start is not None and is_resumed else None
        """The step of `latest` on the disk; None before the first save, and while it is older than a load."""
        self._has_config = False
        """Whether `config.json` is written."""

    @property
    def num_required(self) -> int:
        """Required saves that are not done. For any thread."""
        return sum(save.is_required for save in self._pending())

    def _pending(self) -> list[Save]:
        """Return what is written now and all that wait. For any thread."""
        writer, best = self._writer, self._best
        return [*(writer.saves if writer is not None else ()), *self._waiting, *([best] if best is not None else ())]

    # Saves that come due with steps, time and changes -----------------------------------------------------------------

    def record_change(self) -> None:
        """Record that a setting changed, so that `latest` is saved soon: a kill must not undo what the user saw."""
        if self._changed_at is None:
            self._changed_at = self._clock()

    def save_step_if_due(self) -> None:
        """Save `step-N` at its interval."""
        state = self._run.state
        if is_due(state.step, state.training.save_every, state.progress.last_save_step):
            state.progress.last_save_step = state.step
            self.save(f"step-{state.step}")

    def save_if_due(self) -> None:
        """Save `step-N` and `latest` at their intervals, and `latest` soon after a change of the settings.

        While paused, `latest` is due only after a change or a failure. On a slow disk, other saves are written first.
        """
        state = self._run.state
        if not state.is_paused:
            if state.trainer.skipped_in_a_row:
                return  # these weights may have diverged
            self.save_step_if_due()
        has_news = not state.is_paused or self._problem or self._run.reporter.journal.is_failing
        now = self._clock()
        is_time = now - self._tried_at >= state.training.autosave_seconds
        has_changed = self._changed_at is not None and now - self._changed_at >= CHANGE_SECONDS
        is_next = all(save.name == "latest" and not save.is_required for save in self._waiting)
        if is_next and (has_changed or (has_news and is_time)):
            self.save("latest")
        elif is_next and is_time and self._best is not None:
            self._tried_at, self._best.problem = now, None  # in a pause, `poll` tries it alone: `latest` is up to date
            self.poll()
        others_wait = bool(self._waiting) or self._best is not None
        if self._writer is not None and self._writer.seconds >= PATIENCE_SECONDS and others_wait and not self._problem:
            self._problem = self._writer.blocked_error()
            self._run.reporter.warn_of_disk(self._problem)

    # Saves where something happens ------------------------------------------------------------------------------------

    def save(self, name: str, *, is_required: bool = False, waits: bool = False) -> TweetgenError | None:
        """Save one of the run's own checkpoints; return why that failed, as far as it is known, after a warning.

        A newer save replaces one of its name that waits. A `step-N` is dropped while saving fails, and skipped if it is
        pinned. Neither is true of a save that `is_required`, and its failure is reported even if the cause is known.
        With `waits`, the checkpoint is written, or its error returned.
        """
        if name == "latest":
            self._changed_at, self._tried_at = None, self._clock()
        if self._run.leader is not None:
            self._run.leader.verify(is_last=self._is_ending)
        is_numbered = not is_required and name not in RUN_CHECKPOINTS
        if self._problem is not None and is_numbered:
            self._dropped.append(name)
            return self._problem
        if not is_required:
            self._waiting = [save for save in self._waiting if save.name != name or save.is_required]
        path = self._folder.checkpoint_path(name)
        with self._run.state.timer.during("saving"):
            try:
                with self._run.oom.memory_errors("saving"), storage_errors(path):
                    if is_numbered and pin_path(path).exists():
                        self._run.reporter.emit(Warned, message=f"{name} is pinned, so it is not replaced.")
                        return None
                    copy = self._copy(needs_room=name != "best")
                    save = Save(name, path, self._run.checkpoint_info(), copy, is_required, is_numbered)
            except (StorageError, DeviceMemoryError) as error:
                if name != "latest" and not is_required:
                    self._dropped.append(name)
                self._problem = error
                self._warn(error, again=is_required)
                return error
            if name == "best":
                self._best = save
            else:
                self._waiting.append(save)
            self.poll()
            if waits:
                self.wait()
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
            if any(save.path == path for save in self._pending()):
                self.wait()
            with storage_errors(path):  # the folder may be unreadable
                is_taken, is_pinned = path.exists(), pin_path(path).exists()
            if is_taken and not command.replace:
                raise ConfigError(
                    f"There is already a checkpoint called {name}.", "Choose another name, or replace it."
                )
            if is_taken and is_pinned:
                raise ConfigError(f"The checkpoint {name} is pinned.", "Choose another name, or unpin it first.")
            copy = self._copy(needs_room=True)
            info = self._run.checkpoint_info()
            self._waiting.append(Save(name, path, info, copy, is_required=True, command=command))
            self.poll()

    def save_before_load(self, path: Path) -> None:
        """Save the current weights under a new name before those of `path` replace them.

        Nothing is saved at step 0, nor where `path` or a checkpoint saved by name contains them. Raises `StorageError`
        where saving fails; then nothing has changed.
        """
        step, (named_path, named_info) = self._run.state.step, self._named or (path, None)
        is_named = named_info == self._run.checkpoint_info() and named_path.is_file()
        if step == 0 or self._loaded == (path, step) or is_named:
            return
        problem = self.save(self._folder.name_before_load(step), is_required=True, waits=True)
        if problem is not None and not isinstance(problem, DivergedError):
            raise StorageError(f"The current weights can't be saved, so nothing was loaded. {problem}", problem.hint)

    def record_load(self, path: Path) -> None:
        """Record that the checkpoint at `path` was loaded; unless it is `latest`, there is no `latest` of it yet."""
        step, self._copied_step = self._run.state.step, None
        self._loaded = path, step
        self._latest_step = step if path == self._folder.checkpoint_path("latest") else None

    def require_saved(self) -> None:
        """Save `latest`. Raises a `TweetgenError` where that fails, with what is lost if the run ends now."""
        problem = self.save("latest", is_required=True, waits=True)
        if isinstance(problem, DivergedError):
            raise problem
        if self._latest_step == self._run.state.step:
            self._is_saved = True
            return
        kept_step, so_far = self._latest_step or 0, "Nothing is saved"
        if self._latest_step is not None:
            so_far = f"Only the steps up to {kept_step:,} are saved"
        elif self._loaded is not None:
            _, kept_step = self._loaded
            so_far = f"Nothing is saved since the checkpoint of step {kept_step:,} was loaded"
        lost = self._run.state.step - kept_step
        hint = problem.hint if problem is not None else "Leave without saving, or try again."
        raise StorageError(f"{so_far}: leaving now loses {counted(lost, 'step')}.", hint)

    def save_last(self) -> None:
        """Save `latest` at the end of the run, after all others, unless `require_saved` has; name what is lost."""
        self.wait()
        self._is_ending = True
        problem = None if self._is_saved else self.save("latest", is_required=True, waits=True)
        lost = ["latest"] if problem is not None and not isinstance(problem, DivergedError) else []
        lost += [*(["best"] if self._best is not None else []), *self._dropped]
        cause = self._problem or (self._best.problem if self._best is not None else None)
        if lost and cause is not None:
            self._run.reporter.warn_of_disk(cause, again=True, lost=lost)

    def save_after_failure(self) -> None:
        """Save `latest` after an exception, so that a resumed run repeats the step that failed.

        An update that was interrupted may have changed the weights in part; then `latest` stays as it is.
        """
        if self._run.state.trainer.is_consistent:
            self.save_last()
        else:
            self.wait()
            message = f"The update of step {self._run.state.step + 1:,} was interrupted: its weights were not saved."
            self._run.reporter.emit(Warned, message=message)

    def _copy(self, *, needs_room: bool) -> HostSnapshot:
        """Report all steps so far and copy the state; saves of one step share a copy, if no random number was drawn.

        A copy that `needs_room` is made only while no other save waits. Raises `StorageError` if one still does after
        `PATIENCE_SECONDS`, and what torch raises where memory runs out; then no memory is kept for later copies.
        """
        run = self._run
        run.reporter.end_bucket()
        is_copied = self._copied_step == run.state.step and self._copies[-1].has(run.state.generators())
        if not is_copied and self._writer is not None and self._waiting and needs_room:
            self._writer.join(max(0.0, PATIENCE_SECONDS - self._writer.seconds))
            self.poll()
            if self._waiting:
                raise self._writer.blocked_error()
        if not is_copied:
            self._copied_step = None
            in_use = [save.copy for save in self._pending()]
            spare = next((copy for copy in self._copies if copy not in in_use), None)
            self._copies = [copy for copy in self._copies if copy in in_use]
            self._copies.append(HostSnapshot.of(run.state.trainer.state() | run.state.generators(), spare))
            self._copied_step = run.state.step
        return self._copies[-1]

    # Writes -----------------------------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Report each write that has ended and start the next, without waiting for it. Raises as `_report`."""
        while self._writer is None or not self._writer.is_alive():
            if self._writer is not None:
                ended, self._writer = self._writer, None
                self._finish(ended.saves)
            elif self._waiting:
                self._start(self._waiting.pop(0))
            elif self._best is not None and not (self._problem or self._best.problem):
                best, self._best = self._best, None
                self._start(best)
            else:
                return

    def wait(self) -> None:
        """Wait until all checkpoints that were asked for or due are on the disk, or have failed."""
        with self._run.state.timer.during("saving"):
            self.poll()
            while self._writer is not None:
                self._writer.join()
                self.poll()

    def close(self) -> None:
        """Wait for the write in progress, and report nothing."""
        if self._writer is not None:
            self._writer.join()

    def _start(self, save: Save) -> None:
        """Start to write a save; one of the run's own after the journal and the `best` that waits."""
        saves = [save]
        if save.command is None:
            try:
                self._recreate_folder()
                save.journal_problem = self._run.reporter.flush_journal()
            except StorageError as error:
                self._fail(save, error)
                self._warn(error, again=save.is_required)
                return
            if self._best is not None and not (save.journal_problem and self._problem):  # a full disk is tried once
                saves.insert(0, self._best)
                self._best = None
        loaded_path, _ = self._loaded or (None, 0)
        self._writer = Writer(saves, self._folder, self._run.state.training.keep_checkpoints, loaded_path)
        self._writer.start()

    def _finish(self, saves: list[Save]) -> None:
        """Report the saves of a write that has ended, and what is wrong with the disk or that it works again."""
        with contextlib.ExitStack() as stack:  # reports each, even if another one raises
            for save in reversed(saves):
                stack.callback(self._report, save)
        first, last = saves[0], saves[-1]  # a `best` that goes before another save, or the same one
        if last.command is not None or isinstance(last.problem, DivergedError):
            return
        if last.problem is None:
            self._problem = None
        problem = last.problem or last.journal_problem or first.problem
        if problem is not None and not isinstance(problem, DivergedError):
            self._warn(problem, again=last.is_required)
        else:
            dropped, self._dropped = self._dropped, []
            self._run.reporter.emit_disk_works(f"Not saved: {', '.join(dropped)}." if dropped else "")

    def _report(self, save: Save) -> None:
        """Report a save. Raises its exception, unless the disk failed, memory ran out or the weights are not finite."""
        error, save.error, save.problem = save.error, None, None
        try:
            with self._run.oom.memory_errors("saving"):
                if error is not None:
                    raise error
        except (StorageError, DeviceMemoryError, DivergedError) as problem:
            self._fail(save, problem)
            return
        if save.command is not None:
            self._named = save.path, save.info
        elif save.name == "latest":
            self._latest_step = save.info.step
        self._run.reporter.emit_saved(save.name, save.path, save.info)

    def _fail(self, save: Save, problem: TweetgenError) -> None:
        """Record that a save failed: a `best` waits for the next one, a `step-N` is dropped, a command is refused."""
        save.problem = problem
        if save.command is not None:
            self._run.reporter.emit_refusal(save.command, problem)
        elif isinstance(problem, DivergedError):
            self._run.reporter.emit(Warned, message=problem.message, kind="not-finite")
        elif save.name == "best":
            self._best = self._best or save
        else:
            self._problem = problem
            if save.is_numbered:
                self._dropped.append(save.name)

    def _warn(self, problem: TweetgenError, *, again: bool) -> None:
        """Warn that not all of the run is saved; at its end `save_last` does, and the reporter for the journal."""
        if not self._is_ending:
            self._run.reporter.warn_of_disk(problem, again=again)

    # The run's folder -------------------------------------------------------------------------------------------------

    def prepare_folder(self) -> None:
        """Write `config.json`, and remove temporary files of killed processes: other programs are locked out."""
        with contextlib.suppress(StorageError):  # a disk that fails is reported by the first save
            write_atomically(self._folder.config_path, self._run.config_content())
            self._has_config = True
        for part in (self._folder.path, self._folder.checkpoint_path("latest").parent):
            remove_stale_temporaries(part, min_age_seconds=0.0)
        remove_stale_temporaries(home() / "checkpoints")

    def _recreate_folder(self) -> None:
        """Recreate what was deleted of the run's folder or could not be written, and warn. Raises `StorageError`."""
        state, reporter, path = self._run.state, self._run.reporter, self._folder.config_path
        has_folder = os.path.exists(path)
        settings = {"model": state.model_config, "training": state.training, "sampling": state.sampling}
        if reporter.journal.recreate_if_missing(**settings, epochs=state.batches.epochs, started_at=time.time()):
            self._latest_step = self._latest_step if has_folder else None
            deleted = f"The {'journal' if has_folder else 'folder'} of the run {self._folder.name} was deleted"
            reporter.emit(Warned, message=f"{deleted}; it was created again, without its former contents.")
        if not (has_folder and self._has_config):
            write_atomically(path, self._run.config_content())
            self._has_config = True

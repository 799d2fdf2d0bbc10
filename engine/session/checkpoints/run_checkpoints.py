"""`RunCheckpoints`: when the checkpoints of a run are due, and whether its weights may be saved at all."""

from __future__ import annotations

from pathlib import Path

from engine.errors import DivergedError, StorageError, TweetgenError
from engine.protocol import events
from engine.protocol.commands import SaveCheckpoint
from engine.session.checkpoints.saver import CheckpointSaver
from engine.session.state import Run
from engine.training.schedule import is_due

CHANGE_SECONDS = 2.0
"""Seconds from a change of the settings to its autosave; later changes are saved with the first."""


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
            self._leader.check_weights(is_last=is_last)
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
            self._leader.check_weights()
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

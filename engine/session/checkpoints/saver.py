"""`CheckpointSaver`: encodes and writes the checkpoints of a run, and survives a disk that fails.

A failed save is tried again at the next autosave, which saves `latest` as of then; a `best` that could not be written
waits in memory, a `step-N` is dropped and named once saving works again.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.catalog import pin_path
from engine.checkpoints.checkpoint import save_checkpoint, to_content
from engine.checkpoints.retention import prune_steps
from engine.errors import ConfigError, DeviceMemoryError, StorageError, TweetgenError
from engine.protocol import events
from engine.session.checkpoints.snapshot import checkpoint_info, checkpoint_tensors, config_content
from engine.session.memory_fallback import MemoryFallback
from engine.session.reporter import Reporter
from engine.session.setup import RunSetup
from engine.session.state import RunState
from engine.storage.atomic_write import remove_stale_temporaries, storage_errors, write_atomically
from engine.storage.folders import RUN_CHECKPOINTS, home, named_checkpoint_path


@dataclass(frozen=True)
class _Encoded:
    """An encoded checkpoint of the run, to be written."""

    name: str
    content: bytes
    bits_per_char: float | None


class CheckpointSaver:
    """Writes the checkpoints of one run. Used by the session's thread only."""

    def __init__(self, setup: RunSetup, state: RunState, reporter: Reporter, memory_fallback: MemoryFallback) -> None:
        self._setup = setup
        self._state = state
        self._reporter = reporter
        self._memory_fallback = memory_fallback
        self.loaded_path: Path | None = None
        """The checkpoint that was loaded last, which retention does not delete."""
        self.loaded_step: int | None = None
        """Its step; None where the run has loaded none."""
        start, is_resumed = setup.start, setup.resumed_from == f"{setup.folder.name}/latest"
        self.latest_step = start.step if start is not None and is_resumed else None
        """The step of `latest` on the disk; None before the first save, and while it is older than a load."""
        self.problem: TweetgenError | None = None
        """Why the last save of `latest`, `best` or `step-N` failed; None if it succeeded."""
        self._has_config = False
        self._best: _Encoded | None = None
        """The latest `best`, where it could not be written."""
        self._dropped: list[str] = []

    def prepare_folder(self) -> None:
        """Write `config.json`, and remove temporary files of killed processes: other programs are locked out.

        A disk that fails is reported by the first save.
        """
        folder = self._setup.folder
        with contextlib.suppress(StorageError):
            self._write_config()
        for part in (folder.path, folder.checkpoint_path("latest").parent):
            remove_stale_temporaries(part, min_age_seconds=0.0)
        remove_stale_temporaries(home() / "checkpoints")

    @property
    def is_failing(self) -> bool:
        """Whether the last write of a checkpoint or of the journal failed."""
        return self.problem is not None or self._reporter.journal.is_failing

    def save_own(self, name: str, *, is_asked: bool = False, is_last: bool = False) -> TweetgenError | None:
        """Save the run's own `latest`, `best` or `step-N`, and whatever waits to be written.

        A failure is returned, and reported once; that of a save that the user `is_asked` for is reported again, and
        that of the `is_last` save names all checkpoints that the end of the run loses.
        """
        checkpoint: _Encoded | None = None
        try:
            with self._memory_fallback.memory_errors("saving"):
                checkpoint = self._encode(name)
                if self.problem is not None and name != "latest" and not is_asked:
                    self._postpone(name, checkpoint)
                    return self.problem
                self._recreate_folder_if_gone()
                journal_problem = self._reporter.flush_journal()
                self._write_all(checkpoint)
        except (StorageError, DeviceMemoryError) as error:
            self.problem = error
            if name == "best" or not is_asked:  # a `step-N` that is asked for is refused instead
                self._postpone(name, checkpoint)
            lost = ["latest", *(["best"] if self._best else []), *self._dropped] if is_last else []
            self._reporter.warn_of_disk(error, is_asked=is_asked, lost=lost)
            return error
        self.problem = None
        if journal_problem is None:
            dropped, self._dropped = self._dropped, []
            self._reporter.emit_disk_works(f"Not saved: {', '.join(dropped)}." if dropped else "")
        elif not is_last:  # at the end the reporter warns of what the journal lacks
            self._reporter.warn_of_disk(journal_problem, is_asked=is_asked)
        return None

    def _encode(self, name: str) -> _Encoded:
        self._reporter.emit_steps()
        info = checkpoint_info(self._setup, self._state)
        return _Encoded(name, to_content(info, checkpoint_tensors(self._state)), info.bits_per_char)

    def _postpone(self, name: str, checkpoint: _Encoded | None) -> None:
        """Store a `best` until it can be written; drop a `step-N`, and what there was no memory to encode."""
        if name == "best" and checkpoint is not None:
            self._best = checkpoint
        elif name != "latest":
            self._dropped.append(name)

    def _recreate_folder_if_gone(self) -> None:
        """Recreate the run's folder, or its journal, where it was deleted. Raises `StorageError`."""
        folder, state = self._setup.folder, self._state
        with storage_errors(folder.config_path):
            is_there = folder.config_path.exists()
        settings = {"model": state.model_config, "training": state.training, "sampling": state.sampling}
        if not self._reporter.journal.recreate_if_missing(**settings):
            return
        what = "journal" if is_there else "folder"
        self._has_config = is_there
        self.latest_step = self.latest_step if is_there else None
        message = f"The {what} of the run {folder.name} was deleted; it was created again, without its former contents."
        self._reporter.emit(events.Warned, message=message)

    def _write_config(self) -> None:
        """Write `config.json`. Raises `StorageError`."""
        write_atomically(self._setup.folder.config_path, config_content(self._setup, self._state))
        self._has_config = True

    def _write_all(self, checkpoint: _Encoded) -> None:
        """Write a checkpoint, after a missing `config.json` and a `best` that waits. Raises `StorageError`."""
        if not self._has_config:
            self._write_config()
        if self._best is not None and checkpoint.name != "best":
            self._write(self._best)
        self._write(checkpoint)
        if checkpoint.name == "latest":
            self.latest_step = self._state.step
        elif checkpoint.name != "best":
            keep = self._state.training.keep_checkpoints
            prune_steps(self._setup.folder, keep, self._state.step, self.loaded_path)

    def _write(self, checkpoint: _Encoded) -> None:
        """Write a file, then announce that it is in place. Raises `StorageError`."""
        path = self._setup.folder.checkpoint_path(checkpoint.name)
        if self._is_pinned_step(path):
            message = f"{checkpoint.name} is pinned, so it is not replaced."
            self._reporter.emit(events.Warned, message=message)
            return
        write_atomically(path, checkpoint.content)
        if checkpoint.name == "best":
            self._best = None
        self._emit_saved(checkpoint.name, path, checkpoint.bits_per_char)

    def _is_pinned_step(self, path: Path) -> bool:
        """Return whether a checkpoint is a pinned `step-N`. Raises `StorageError`."""
        with storage_errors(path):
            return path.stem not in RUN_CHECKPOINTS and pin_path(path).exists()

    def name_before_load(self, path: Path) -> str | None:
        """Return the name to save the current weights under before `path` is loaded; None where `path` holds them.

        It is neither the name of `path` nor that of a pinned checkpoint. Raises `ConfigError`, `StorageError`.
        """
        step = self._state.step
        if step == 0 or (path == self.loaded_path and step == self.loaded_step):
            return None
        for name in (f"step-{step}", f"step-{step}-before-load"):
            candidate = self._setup.folder.checkpoint_path(name)
            if candidate.resolve() != path.resolve() and not self._is_pinned_step(candidate):
                return name
        raise ConfigError(
            f"The current weights can't be saved: step-{step} is pinned or being loaded.", "Unpin it, or train a step."
        )

    def record_load(self, path: Path) -> None:
        """Record that the checkpoint at `path` was loaded; unless it is `latest`, there is no `latest` of it yet."""
        self.loaded_path, self.loaded_step = path, self._state.step
        self.latest_step = self._state.step if path == self._setup.folder.checkpoint_path("latest") else None

    def save_named(self, name: str, *, replace: bool) -> None:
        """Save under a name chosen by the user.

        Raises `ConfigError` where the name is invalid, taken and not to be replaced, or pinned; `StorageError`.
        """
        path = named_checkpoint_path(name)
        with storage_errors(path):  # the folder may be unreadable
            is_taken, is_pinned = path.exists(), pin_path(path).exists()
        if is_taken and not replace:
            raise ConfigError(f"There is already a checkpoint called {name}.", "Choose another name, or replace it.")
        if is_taken and is_pinned:
            raise ConfigError(f"The checkpoint {name} is pinned.", "Choose another name, or unpin it first.")
        self._reporter.emit_steps()
        info = checkpoint_info(self._setup, self._state)
        save_checkpoint(path, info, checkpoint_tensors(self._state))
        self._emit_saved(name, path, info.bits_per_char)

    def _emit_saved(self, name: str, path: Path, bits_per_char: float | None) -> None:
        self._reporter.emit(events.CheckpointSaved, name=name, path=str(path), bits_per_char=bits_per_char)

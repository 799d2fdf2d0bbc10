"""`CheckpointSaver`: puts together all that a checkpoint holds, writes it, and tells that it is there.

A disk that fails stops no training. It is tried again at the next autosave, of which `latest` is as the run is then;
a `best` that could not be saved waits in memory, a `step-N` is dropped and named once saving works again.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from engine.checkpoints.catalog import pin_path
from engine.checkpoints.checkpoint import save_checkpoint, to_content
from engine.checkpoints.metadata import CheckpointInfo
from engine.checkpoints.retention import prune_steps
from engine.compute import device as runtime
from engine.config.run import SamplingConfig, TrainingConfig
from engine.corpus.position import Position
from engine.errors import ConfigError, DeviceMemoryError, StorageError, TweetgenError
from engine.protocol import events
from engine.session.memory_fallback import MemoryFallback
from engine.session.progress import Progress
from engine.session.reporter import Reporter
from engine.session.setup import Preparation, to_config_content
from engine.storage.atomic_write import remove_stale_temporaries, storage_errors, write_atomically
from engine.storage.folders import RUN_CHECKPOINTS, home, named_checkpoint_path
from engine.storage.versions import versions_of


@dataclass(frozen=True)
class _Encoded:
    """A checkpoint of the run's own that is to be written."""

    name: str
    content: bytes
    bits_per_char: float | None


class CheckpointSaver:
    """Writes the checkpoints of one run."""

    def __init__(
        self, preparation: Preparation, reporter: Reporter, progress: Progress, memory_fallback: MemoryFallback
    ) -> None:
        """Take what a checkpoint is made of; `preparation` holds the trainer that is in use."""
        self._prepared = preparation
        self._reporter = reporter
        self._progress = progress
        self._memory_fallback = memory_fallback
        self.loaded_path: Path | None = None
        """The checkpoint that the run goes on from, which is not deleted to make room."""
        self.loaded_step: int | None = None
        """The step of that checkpoint; None where the run has loaded none."""
        start, is_resumed = preparation.start, preparation.resumed_from == f"{preparation.folder.name}/latest"
        self.latest_step = start.step if start is not None and is_resumed else None
        """The step of the `latest` on the disk; None before the first, and while it is from before a load."""
        self.problem: TweetgenError | None = None
        """Why the last try to save a checkpoint of the run's own failed; None where it did not."""
        self._clock = reporter.stopwatch.clock
        self._tried_at = self._clock()
        self._has_config = False
        self._best: _Encoded | None = None
        """The latest `best`, where it could not be written."""
        self._dropped: list[str] = []

    def begin(self) -> None:
        """Write the run's config, and remove what killed processes left: the folder is locked against other programs.

        A disk that fails is reported by the first save.
        """
        folder = self._prepared.folder
        with contextlib.suppress(StorageError):
            self._write_config()
        for part in (folder.path, folder.checkpoint_path("latest").parent):
            remove_stale_temporaries(part, min_age_seconds=0.0)
        remove_stale_temporaries(home() / "checkpoints")

    def is_latest_due(self, autosave_seconds: float) -> bool:
        """Return whether it is time to save `latest`, or to try that again."""
        return self._clock() - self._tried_at >= autosave_seconds

    @property
    def is_failing(self) -> bool:
        """Whether something could not be written, be it a checkpoint or the journal."""
        return self.problem is not None or self._reporter.journal.is_failing

    def save_own(
        self,
        name: str,
        training: TrainingConfig,
        sampling: SamplingConfig,
        position: Position,
        *,
        is_asked: bool = False,
        is_last: bool = False,
    ) -> TweetgenError | None:
        """Save the run's own `latest`, `best` or `step-N`, and what waits to be written; returns why it is not saved.

        A failure is reported once; one of what `is_asked` for is reported again, and one of the `is_last` save names
        all checkpoints that the end of the run loses.
        """
        if name == "latest":
            self._tried_at = self._clock()
        checkpoint: _Encoded | None = None
        try:
            with self._memory_fallback.out_of_memory_as_error("saving"):
                info = self._info(training, sampling, position)
                checkpoint = _Encoded(name, self._content(info), info.bits_per_char)
                if self.problem is not None and name != "latest" and not is_asked:
                    self._postpone(name, checkpoint)
                    return self.problem
                self._recreate_folder_if_gone(training, sampling)
                journal_problem = self._reporter.flush_journal()
                self._write_all(checkpoint, training)
        except (StorageError, DeviceMemoryError) as error:
            self.problem = error
            if name == "best" or not is_asked:  # whoever asks for a `step-N` is answered
                self._postpone(name, checkpoint)
            lost = ["latest", *(["best"] if self._best else []), *self._dropped] if is_last else []
            self._reporter.warn_of_disk(error, is_asked=is_asked, lost=lost)
            return error
        self.problem = None
        if journal_problem is None:
            dropped, self._dropped = self._dropped, []
            self._reporter.emit_disk_works(f"Not kept: {', '.join(dropped)}." if dropped else "")
        elif not is_last:  # at the end the reporter reports what the journal lacks
            self._reporter.warn_of_disk(journal_problem, is_asked=is_asked)
        return None

    def _postpone(self, name: str, checkpoint: _Encoded | None) -> None:
        """Keep a `best` until it can be written; drop a `step-N`, and what there was no memory to encode."""
        if name == "best" and checkpoint is not None:
            self._best = checkpoint
        elif name != "latest":
            self._dropped.append(name)

    def _recreate_folder_if_gone(self, training: TrainingConfig, sampling: SamplingConfig) -> None:
        """Go on in a new folder of the same name where the run's was deleted. Raises `StorageError`."""
        folder, journal = self._prepared.folder, self._reporter.journal
        with storage_errors(folder.config_path):
            is_there = folder.config_path.exists()
        model = self._prepared.model_config
        if not journal.recreate_if_missing(model=model, training=training, sampling=sampling):
            return
        what = "journal" if is_there else "folder"
        self._has_config = is_there
        self.latest_step = self.latest_step if is_there else None
        message = f"The {what} of the run {folder.name} was deleted; it was made anew, and what it held is gone."
        self._reporter.emit(events.Warned, message=message)

    def _write_config(self) -> None:
        """Write what the run was asked for. Raises `StorageError`."""
        write_atomically(self._prepared.folder.config_path, to_config_content(self._prepared))
        self._has_config = True

    def _write_all(self, checkpoint: _Encoded, training: TrainingConfig) -> None:
        """Write a checkpoint, and before it the run's config and a `best` that wait. Raises `StorageError`."""
        folder = self._prepared.folder
        if not self._has_config:
            self._write_config()
        if self._best is not None and checkpoint.name != "best":
            self._write(self._best)
        self._write(checkpoint)
        if checkpoint.name == "latest":
            self.latest_step = self._prepared.trainer.step_count
        elif checkpoint.name != "best":
            step = self._prepared.trainer.step_count
            prune_steps(folder, training.keep_checkpoints, step, self.loaded_path)

    def _write(self, checkpoint: _Encoded) -> None:
        """Write a file, then tell that it is in place. Raises `StorageError`."""
        path = self._prepared.folder.checkpoint_path(checkpoint.name)
        if self._is_pinned_step(path):
            message = f"{checkpoint.name} is pinned, so it is not replaced."
            self._reporter.emit(events.Warned, message=message)
            return
        write_atomically(path, checkpoint.content)
        if checkpoint.name == "best":
            self._best = None
        self._emit_saved(checkpoint.name, path, checkpoint.bits_per_char)

    def _is_pinned_step(self, path: Path) -> bool:
        """Return whether a checkpoint is one of the pinned `step-N`. Raises `StorageError`."""
        with storage_errors(path):
            return path.stem not in RUN_CHECKPOINTS and pin_path(path).exists()

    def name_before_load(self, step: int, path: Path) -> str | None:
        """Return the name to save the current weights under before `path` is loaded; None where `path` holds them.

        It is neither the name of `path` nor that of a pinned checkpoint. Raises `ConfigError`, `StorageError`.
        """
        if step == 0 or (path == self.loaded_path and step == self.loaded_step):
            return None
        for name in (f"step-{step}", f"step-{step}-before-load"):
            candidate = self._prepared.folder.checkpoint_path(name)
            if candidate.resolve() != path.resolve() and not self._is_pinned_step(candidate):
                return name
        raise ConfigError(
            f"The current weights can't be saved: step-{step} is pinned or being loaded.", "Unpin it, or train a step."
        )

    def record_load(self, path: Path, step: int) -> None:
        """Take note that the run goes on from the checkpoint at `path`; only `latest` itself is saved as `latest`."""
        self.loaded_path, self.loaded_step = path, step
        self.latest_step = step if path == self._prepared.folder.checkpoint_path("latest") else None

    def save_named(
        self, name: str, training: TrainingConfig, sampling: SamplingConfig, position: Position, *, replace: bool
    ) -> None:
        """Save under the user's name.

        Raises `ConfigError` where it is impossible, or taken and not to `replace` or pinned; `StorageError`.
        """
        path = named_checkpoint_path(name)
        with storage_errors(path):  # a folder that nobody may look into
            is_taken, is_pinned = path.exists(), pin_path(path).exists()
        if is_taken and not replace:
            raise ConfigError(f"There is already a checkpoint called {name}.", "Take another name, or replace it.")
        if is_taken and is_pinned:
            raise ConfigError(f"The checkpoint {name} is pinned.", "Take another name, or unpin it first.")
        info = self._info(training, sampling, position)
        save_checkpoint(path, info, self._tensors())
        self._emit_saved(name, path, info.bits_per_char)

    def _emit_saved(self, name: str, path: Path, bits_per_char: float | None) -> None:
        self._reporter.emit(events.CheckpointSaved, name=name, path=str(path), bits_per_char=bits_per_char)

    def _content(self, info: CheckpointInfo) -> bytes:
        """Return the content of a checkpoint's file, as the run is now."""
        return to_content(info, self._tensors())

    def _tensors(self) -> dict[str, Tensor]:
        """Return all tensors of a checkpoint, as the run is now."""
        states = runtime.generator_states(self._prepared.runtime.device)
        return self._prepared.trainer.state() | {f"generator.{device}": state for device, state in states.items()}

    def _info(self, training: TrainingConfig, sampling: SamplingConfig, position: Position) -> CheckpointInfo:
        """Return what the checkpoint says of itself."""
        self._reporter.emit_steps()
        prepared, progress = self._prepared, self._progress
        return CheckpointInfo(
            run=prepared.folder.name,
            corpus_name=prepared.training_data.corpus.name,
            corpus=prepared.training_data.config,
            corpus_digest=prepared.training_data.corpus.digest,
            model=prepared.model_config,
            training=training,
            sampling=sampling,
            vocab=prepared.training_data.vocab.chars,
            device=prepared.runtime.device.type,
            precision=prepared.runtime.precision,
            num_threads=prepared.runtime.num_threads,
            step_path=prepared.trainer.path,
            tuning=prepared.runtime.tuning,
            step=prepared.trainer.step_count,
            position=position,
            elapsed_seconds=self._reporter.stopwatch.seconds,
            total_chars=self._reporter.total_chars,
            last_sample_step=progress.last_sample_step,
            last_eval_step=progress.last_eval_step,
            last_save_step=progress.last_save_step,
            train_loss=self._reporter.last_train_loss,
            val_loss=progress.val_loss,
            bits_per_char=progress.bits_per_char,
            best_bits_per_char=progress.best_bits_per_char,
            finish=progress.finish,
            versions=versions_of("tweetgen-tui", "torch", "safetensors"),
        )

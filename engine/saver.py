"""`Saver`: puts together all that a checkpoint holds, writes it, and tells that it is there."""

from __future__ import annotations

import time
from pathlib import Path

from engine import events, runtime
from engine.checkpoint import save_checkpoint
from engine.checkpoint_info import CheckpointInfo
from engine.checkpoint_list import pin_path
from engine.config import SamplingConfig, TrainingConfig
from engine.corpus.position import Position
from engine.errors import ConfigError
from engine.folders import named_checkpoint_path
from engine.narrator import Narrator
from engine.preparation import Preparation
from engine.progress import Progress
from engine.versions import versions_of


class Saver:
    """Writes the checkpoints of one run."""

    def __init__(self, preparation: Preparation, narrator: Narrator, progress: Progress) -> None:
        """Take what a checkpoint is made of; `preparation` holds the trainer that is in use."""
        self._prepared = preparation
        self._narrator = narrator
        self._progress = progress
        self._saved_latest_at = time.monotonic()

    @property
    def seconds_since_latest(self) -> float:
        """Seconds since `latest` was saved, or tried to."""
        return time.monotonic() - self._saved_latest_at

    def save_own(self, name: str, training: TrainingConfig, sampling: SamplingConfig, position: Position) -> None:
        """Save the run's own checkpoint `latest`, `best` or `step-N`. Raises `StorageError`."""
        if name == "latest":
            self._saved_latest_at = time.monotonic()
        self._save(name, self._prepared.folder.checkpoint_path(name), self._info(training, sampling, position))

    def save_named(
        self, name: str, training: TrainingConfig, sampling: SamplingConfig, position: Position, *, replace: bool
    ) -> None:
        """Save under the user's name.

        Raises `ConfigError` where it is impossible, or taken and not to `replace` or pinned.
        """
        path = named_checkpoint_path(name)
        if path.exists() and not replace:
            raise ConfigError(f"There is already a checkpoint called {name}.", "Take another name, or replace it.")
        if path.exists() and pin_path(path).exists():
            raise ConfigError(f"The checkpoint {name} is pinned.", "Take another name, or unpin it first.")
        self._save(name, path, self._info(training, sampling, position))

    def _save(self, name: str, path: Path, info: CheckpointInfo) -> None:
        """Write the file, then tell that it is in place."""
        states = runtime.generator_states(self._prepared.runtime.device)
        generators = {f"generator.{device}": state for device, state in states.items()}
        save_checkpoint(path, info, self._prepared.trainer.state() | generators)
        self._narrator.tell(
            events.CheckpointSaved, name=name, path=str(path), bits_per_char=self._progress.bits_per_char
        )

    def _info(self, training: TrainingConfig, sampling: SamplingConfig, position: Position) -> CheckpointInfo:
        """Return what the checkpoint says of itself."""
        self._narrator.tell_steps()
        prepared, progress = self._prepared, self._progress
        return CheckpointInfo(
            run=prepared.folder.name,
            corpus_name=prepared.material.corpus.name,
            corpus=prepared.material.config,
            corpus_digest=prepared.material.corpus.digest,
            model=prepared.model_config,
            training=training,
            sampling=sampling,
            vocab=prepared.material.vocab.chars,
            device=prepared.runtime.device.type,
            precision=prepared.runtime.precision,
            num_threads=prepared.runtime.num_threads,
            step_path=prepared.trainer.path,
            step=prepared.trainer.step_count,
            position=position,
            elapsed_seconds=self._narrator.stopwatch.seconds,
            total_chars=self._narrator.total_chars,
            last_sample_step=progress.last_sample_step,
            last_eval_step=progress.last_eval_step,
            train_loss=self._narrator.last_train_loss,
            val_loss=progress.val_loss,
            bits_per_char=progress.bits_per_char,
            best_bits_per_char=progress.best_bits_per_char,
            finish=progress.finish,
            versions=versions_of("tweetgen-tui", "torch", "safetensors"),
        )

"""`Saver`: puts together all that a checkpoint holds, writes it, and tells that it is there.

A disk that takes nothing stops no training. What can't be written is owed: `best` and `step-N` as they were, in memory;
of `latest`, whatever is the latest when it works. It is tried again with back-off (`engine.backoff`), told once when it
begins to fail and once when it works again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from engine import events, runtime
from engine.backoff import Backoff
from engine.checkpoint import save_checkpoint, to_content
from engine.checkpoint_info import CheckpointInfo
from engine.checkpoint_list import pin_path
from engine.config import SamplingConfig, TrainingConfig
from engine.corpus.position import Position
from engine.errors import ConfigError, StorageError
from engine.folders import home, named_checkpoint_path, storage_errors, write_atomically
from engine.leftovers import remove_leftovers
from engine.log import move_log
from engine.narrator import Narrator
from engine.preparation import Preparation, to_config_content
from engine.progress import Progress
from engine.pruning import prune_steps
from engine.versions import versions_of

MAX_OWED_STEPS = 2
"""Checkpoints `step-N` that are kept in memory until the disk takes them; the newest."""
ASKED_TRIES = 3
_CONFIG = "config.json"


@dataclass(frozen=True)
class _Owed:
    """A file that is to be written."""

    path_name: str
    content: bytes
    bits_per_char: float | None = None


class Saver:
    """Writes the checkpoints of one run."""

    def __init__(self, preparation: Preparation, narrator: Narrator, progress: Progress) -> None:
        """Take what a checkpoint is made of; `preparation` holds the trainer that is in use."""
        self._prepared = preparation
        self._narrator = narrator
        self._progress = progress
        self._latest_step: int | None = None
        self._saved_latest_at = time.monotonic()
        self._backoff = Backoff(time.monotonic)
        self._owed: dict[str, _Owed] = {}
        self._given_up: list[str] = []

    def begin(self) -> None:
        """Remove what killed processes left, and see that the run's config is written with the first checkpoint."""
        folder = self._prepared.folder
        for part in (folder.path, folder.checkpoint_path("latest").parent):  # the run's lock is ours
            remove_leftovers(part, min_age_seconds=0.0)
        remove_leftovers(home() / "checkpoints")
        self._owe_config()

    def is_latest_due(self, autosave_seconds: float) -> bool:
        """Return whether it is time to save `latest`: by the clock, or as another try after a failure."""
        if self._backoff.is_failing:
            return self._backoff.is_over
        return bool(self._narrator.backlog.news) or time.monotonic() - self._saved_latest_at >= autosave_seconds

    @property
    def latest_step(self) -> int | None:
        """The step of the `latest` that is on the disk; None before the first."""
        return self._latest_step

    @property
    def is_retry_due(self) -> bool:
        """Whether something could not be written, and it is time for another try."""
        return self._backoff.is_failing and self._backoff.is_over

    def save_own(
        self,
        name: str,
        training: TrainingConfig,
        sampling: SamplingConfig,
        position: Position,
        *,
        is_asked: bool = False,
    ) -> None:
        """Save the run's own `latest`, `best` or `step-N`, with all else that is owed; what fails is told and owed.

        Not tried while it is too early for another try. What `is_asked` for is, several times, and told in any case:
        somebody waits for it, or it is the last chance.
        """
        if name == "latest":
            self._saved_latest_at = time.monotonic()
        else:
            info = self._info(training, sampling, position)
            self._owe(name, _Owed(name, self._content(info), info.bits_per_char))
        if not (is_asked or self._backoff.is_over):
            return
        problem: StorageError | None = None
        for _ in range(ASKED_TRIES if is_asked else 1):
            try:
                self._narrator.backlog.find_place()
                self._note_news()
                self._pay(training)
                if name == "latest" or self._backoff.is_failing:
                    info = self._info(training, sampling, position)
                    self._write(_Owed("latest", self._content(info), info.bits_per_char))
            except StorageError as error:
                problem = error
            else:
                self._tell_works()
                return
        if problem is not None:
            self._backoff.fail()
            self._narrator.tell_trouble("disk", problem, is_asked=is_asked)

    def _tell_works(self) -> None:
        """Take note that all could be written, and tell it where it could not before."""
        self._backoff.work()
        given_up, self._given_up = self._given_up, []
        lost = f"Not kept for so long: {', '.join(given_up)}." if given_up else ""
        self._narrator.tell_works("disk", lost)

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
        self._tell_saved(name, path, info.bits_per_char)

    def _owe(self, name: str, owed: _Owed) -> None:
        """Keep what is to be written, the newest of each kind."""
        self._owed.pop(name, None)
        self._owed[name] = owed
        steps = [name for name in self._owed if name.startswith("step-")]
        for old in steps[:-MAX_OWED_STEPS]:
            del self._owed[old]
            self._given_up.append(old)

    def _owe_config(self) -> None:
        self._owe(_CONFIG, _Owed(_CONFIG, to_config_content(self._prepared)))

    def _note_news(self) -> None:
        """Go where the run's folder is now, and tell what became of the one before."""
        news, self._narrator.backlog.news = self._narrator.backlog.news, ""
        if news:
            old_log, self._prepared.folder = self._prepared.folder.log_path, self._narrator.backlog.folder
            move_log(old_log, self._prepared.folder.log_path)
            self._owe_config()
            self._narrator.tell(events.Warned, message=news)

    def _pay(self, training: TrainingConfig) -> None:
        """Write what is owed. Raises `StorageError` at the first that can't be."""
        for name, owed in list(self._owed.items()):
            self._write(owed)
            del self._owed[name]
            if name.startswith("step-"):
                step = self._prepared.trainer.step_count
                prune_steps(self._prepared.folder, training.keep_checkpoints, step)

    def _write(self, owed: _Owed) -> None:
        """Write a file, then tell that it is in place. Raises `StorageError`."""
        folder = self._prepared.folder
        if owed.path_name == _CONFIG:
            write_atomically(folder.config_path, owed.content, makes_folders=False)
            return
        path = folder.checkpoint_path(owed.path_name)
        with storage_errors(path):
            path.parent.mkdir(exist_ok=True)
        write_atomically(path, owed.content, makes_folders=False)
        if owed.path_name == "latest":
            self._latest_step = self._prepared.trainer.step_count
        self._tell_saved(owed.path_name, path, owed.bits_per_char)

    def _tell_saved(self, name: str, path: Path, bits_per_char: float | None) -> None:
        self._narrator.tell(events.CheckpointSaved, name=name, path=str(path), bits_per_char=bits_per_char)

    def _content(self, info: CheckpointInfo) -> bytes:
        """Return the content of a checkpoint's file, as the run is now."""
        return to_content(info, self._tensors())

    def _tensors(self) -> dict[str, Tensor]:
        """Return all tensors of a checkpoint, as the run is now."""
        states = runtime.generator_states(self._prepared.runtime.device)
        return self._prepared.trainer.state() | {f"generator.{device}": state for device, state in states.items()}

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
            tuning=prepared.runtime.tuning,
            step=prepared.trainer.step_count,
            position=position,
            elapsed_seconds=self._narrator.stopwatch.seconds,
            total_chars=self._narrator.total_chars,
            last_sample_step=progress.last_sample_step,
            last_eval_step=progress.last_eval_step,
            last_save_step=progress.last_save_step,
            train_loss=self._narrator.last_train_loss,
            val_loss=progress.val_loss,
            bits_per_char=progress.bits_per_char,
            best_bits_per_char=progress.best_bits_per_char,
            finish=progress.finish,
            versions=versions_of("tweetgen-tui", "torch", "safetensors"),
        )

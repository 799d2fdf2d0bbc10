"""Writes the checkpoints of a run on a thread.

The thread reads only what it is given, and computes with NumPy only: torch would start threads of its own beside the
run's.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.checkpoint import HostSnapshot, write_checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.checkpoints.management import prune_steps
from engine.errors import DivergedError, StorageError, TweetgenError
from engine.protocol.commands import SaveCheckpoint
from engine.storage.folders import RunFolder


@dataclass(eq=False)
class Save:
    """A checkpoint that is to be written."""

    name: str
    path: Path
    info: CheckpointInfo
    copy: HostSnapshot
    is_required: bool
    """Whether the user asked for it, or what follows depends on it: always tried, and its failure always reported."""
    is_numbered: bool = False
    """Whether it is a `step-N` of the run's own."""
    command: SaveCheckpoint | None = None
    """The command that asks for a checkpoint under the user's name; None for one of the run's own."""
    error: BaseException | None = None
    """The exception that ended the write, for the session's thread to raise."""
    problem: TweetgenError | None = None
    """Why its last write failed; None before that is reported, and once it is to be tried again."""
    journal_problem: StorageError | None = None
    """Why the events before it are not in the journal."""


class Writer(threading.Thread):
    """Writes saves in order. A daemon: it does not keep the process from ending."""

    def __init__(self, saves: list[Save], folder: RunFolder, num_kept: int, loaded_path: Path | None) -> None:
        """After a `step-N` keep `num_kept` of them, see `prune_steps`."""
        super().__init__(name="checkpoint writer", daemon=True)
        self.saves = saves
        self._folder, self._num_kept, self._loaded_path = folder, num_kept, loaded_path
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    def blocked_error(self) -> StorageError:
        """Return the error of a disk that takes too long."""
        return StorageError(
            f"{self.saves[-1].name} can't be written: the disk has not finished in {self.seconds:.0f} seconds.",
            "Set TWEETGEN_HOME to another disk.",
        )

    def run(self) -> None:
        """Write the saves, each of them even if another fails, and set their errors."""
        for save in self.saves:
            try:
                save.copy.wait()
                if not save.copy.is_finite:
                    raise DivergedError(
                        f"The weights are no longer finite: {save.name} was not saved, and earlier checkpoints are "
                        "unchanged.",
                        "Load a checkpoint, or leave without saving.",
                    )
                write_checkpoint(save.path, save.info, save.copy)
                if save.is_numbered:
                    prune_steps(self._folder, self._num_kept, save.info.step, self._loaded_path)
            except BaseException as error:  # noqa: BLE001 - raised by the session's thread
                save.error = error

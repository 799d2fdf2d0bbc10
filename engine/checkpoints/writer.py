"""Writes the checkpoints of a run on a thread, and deletes old ones.

The thread reads nothing of the run but what it is given, and computes with NumPy only: torch would start threads of its
own beside the run's.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.checkpoints.catalog import pin_path
from engine.checkpoints.checkpoint import HostSnapshot, write_checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.errors import StorageError, TweetgenError
from engine.protocol.commands import SaveCheckpoint
from engine.storage.folders import RUN_CHECKPOINTS, SUFFIX, RunFolder

LOG = logging.getLogger(__name__)
_PREFIX = "step-"


@dataclass(kw_only=True, eq=False)
class Save:
    """A checkpoint that is to be written."""

    name: str
    path: Path
    info: CheckpointInfo
    copy: HostSnapshot
    user_requested: bool
    command: SaveCheckpoint | None
    """The command that asks for a checkpoint under the user's name; None for one of the run's own."""
    outcome: Literal["written", "not finite"] | None = None
    """Set by the writer, unless it fails."""
    error: BaseException | None = None
    """What ended its write, for the session's thread to raise."""
    problem: TweetgenError | None = None
    """Why it was not written at its last try; None while that is not known."""
    journal_problem: StorageError | None = None
    """Why the events before it are not in the journal."""

    @property
    def is_numbered(self) -> bool:
        """Whether it is a `step-N` of the run's own."""
        return not self.user_requested and self.name not in RUN_CHECKPOINTS


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
        """Write the saves and set their outcomes; one that fails holds back no other."""
        for save in self.saves:
            try:
                save.copy.wait()
                if not save.copy.is_finite:
                    save.outcome = "not finite"
                    continue
                write_checkpoint(save.path, save.info, save.copy)
                save.outcome = "written"
                if save.is_numbered:
                    prune_steps(self._folder, self._num_kept, save.info.step, self._loaded_path)
            except BaseException as error:  # noqa: BLE001 - raised by the session's thread
                save.error = error


def prune_steps(folder: RunFolder, num_kept: int, step: int, loaded_path: Path | None = None) -> None:
    """Delete all but the newest `num_kept` checkpoints `step-N` of a run that is at `step`; 0 keeps all.

    Pinned ones, and the one at `loaded_path`, are neither deleted nor counted. Age is measured in steps, since clocks
    can be set back: steps after `step`, abandoned by loading an earlier checkpoint, go first, then the lowest. Errors
    are logged.
    """
    if not num_kept:
        return
    try:
        numbered = {
            int(digits): path
            for path in folder.checkpoint_path("latest").parent.glob(f"{_PREFIX}*{SUFFIX}")
            if (digits := path.stem.removeprefix(_PREFIX)).isdecimal() and not pin_path(path).exists()
            if loaded_path is None or path.resolve() != loaded_path.resolve()
        }
        for number in sorted(numbered, key=lambda number: (number <= step, number))[:-num_kept]:
            numbered[number].unlink()
    except OSError as error:
        LOG.warning("old checkpoints of %s can't be deleted: %s", folder.path, error)

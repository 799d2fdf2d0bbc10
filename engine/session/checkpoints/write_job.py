"""`WriteJob`: what the writer's thread does for one save; it reads nothing of the run but what is stored here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.checkpoints.catalog import pin_path
from engine.checkpoints.checkpoint import write_host_copy
from engine.checkpoints.host_copy import HostCopy
from engine.checkpoints.metadata import CheckpointInfo
from engine.checkpoints.retention import prune_steps
from engine.errors import StorageError, TweetgenError
from engine.protocol.commands import SaveCheckpoint
from engine.storage.files import storage_errors, write_atomically
from engine.storage.folders import RUN_CHECKPOINTS, RunFolder

Outcome = Literal["written", "pinned", "not finite"]


@dataclass(kw_only=True, eq=False)
class SaveRequest:
    """A checkpoint that is to be written."""

    name: str
    path: Path
    info: CheckpointInfo
    snapshot: HostCopy
    command: SaveCheckpoint | None = None
    """The command that asks for a checkpoint under the user's name; None for one of the run's own."""
    is_asked: bool = False
    """Whether the user asked for it."""
    is_last: bool = False
    """Whether the run ends with it."""
    problem: TweetgenError | None = None
    """Why it was not written; None while that is not known."""
    journal_problem: StorageError | None = None
    """Why the events before it are not in the journal."""


@dataclass(kw_only=True, eq=False)
class WriteJob:
    """One request, and what is written before and deleted after it."""

    request: SaveRequest
    best: SaveRequest | None
    """A `best` that waits."""
    folder: RunFolder
    config: bytes | None
    """The content of a missing `config.json`."""
    num_kept: int
    """`keep_checkpoints`."""
    loaded_path: Path | None
    has_written_config: bool = False
    outcomes: list[tuple[SaveRequest, Outcome]] = field(default_factory=list)
    """Of each request that did not fail."""

    def run(self) -> None:
        """Write all files. Raises `StorageError`."""
        if self.config is not None:
            write_atomically(self.folder.config_path, self.config)
            self.has_written_config = True
        for request in (self.best, self.request):
            if request is not None:
                self.outcomes.append((request, self._write(request)))
        request, outcome = self.outcomes[-1]
        if outcome == "written" and request.command is None and request.name not in RUN_CHECKPOINTS:
            prune_steps(self.folder, self.num_kept, request.info.step, self.loaded_path)

    def _write(self, request: SaveRequest) -> Outcome:
        """Write a checkpoint, if it may be. Raises `StorageError`."""
        if request.command is None and is_pinned_step(request.path):
            return "pinned"
        request.snapshot.wait()
        if not request.snapshot.is_finite:
            return "not finite"
        write_host_copy(request.path, request.info, request.snapshot)
        return "written"


def is_pinned_step(path: Path) -> bool:
    """Return whether a checkpoint of a run is a pinned `step-N`. Raises `StorageError`."""
    with storage_errors(path):
        return path.stem not in RUN_CHECKPOINTS and pin_path(path).exists()

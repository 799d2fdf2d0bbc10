"""`CheckpointFolder`: the folder of a run around its checkpoints: created, cleaned, and created again if it is gone."""

from __future__ import annotations

import contextlib
import time

from engine.errors import StorageError
from engine.protocol import events
from engine.session.checkpoints.snapshot import config_content
from engine.session.reporter import Reporter
from engine.session.state import RunSetup, RunState
from engine.storage.files import remove_stale_temporaries, storage_errors, write_atomically
from engine.storage.folders import home


class CheckpointFolder:
    """The folder of one run. Used by the session's thread only."""

    def __init__(self, setup: RunSetup, state: RunState, reporter: Reporter) -> None:
        self._setup = setup
        self._state = state
        self._reporter = reporter
        self.has_config = False
        """Whether `config.json` is written."""

    @property
    def missing_config(self) -> bytes | None:
        """The content of `config.json` where it is to be written; None where it is there."""
        return None if self.has_config else config_content(self._setup, self._state)

    def prepare(self) -> None:
        """Write `config.json`, and remove temporary files of killed processes: other programs are locked out.

        A disk that fails is reported by the first save.
        """
        folder = self._setup.folder
        with contextlib.suppress(StorageError):
            write_atomically(folder.config_path, config_content(self._setup, self._state))
            self.has_config = True
        for part in (folder.path, folder.checkpoint_path("latest").parent):
            remove_stale_temporaries(part, min_age_seconds=0.0)
        remove_stale_temporaries(home() / "checkpoints")

    def recreate_if_gone(self) -> bool:
        """Recreate the run's folder, or its journal, where it was deleted, and warn of it. Raises `StorageError`.

        Returns whether all checkpoints are gone.
        """
        folder, state = self._setup.folder, self._state
        with storage_errors(folder.config_path):
            is_there = folder.config_path.exists()
        settings = {"model": state.model_config, "training": state.training, "sampling": state.sampling}
        progress = {"epochs": state.batches.epochs, "started_at": time.time()}
        if not self._reporter.journal.recreate_if_missing(**settings, **progress):
            return False
        what = "journal" if is_there else "folder"
        self.has_config = is_there
        message = f"The {what} of the run {folder.name} was deleted; it was created again, without its former contents."
        self._reporter.emit(events.Warned, message=message)
        return not is_there

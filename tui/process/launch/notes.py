"""`LaunchNotes`: how far a run has come, from the leader to its launcher, their screen, and later attempts."""

from __future__ import annotations

import contextlib
import os
import time

from engine.errors import StorageError
from engine.protocol import codec, events
from engine.protocol.events import Event, RunFailed, RunFinished
from engine.protocol.stage import Stage
from engine.storage.atomic_write import new_file
from tui.process.launch.folder import LaunchFolder

_SECONDS = 0.1
"""Between two writes of a stage whose text stays."""


class LaunchNotes:
    """Files in the launch folder. An error of the disk loses a note, and nothing else."""

    def __init__(self, folder: LaunchFolder) -> None:
        """Write and read the notes of this launch."""
        self._folder = folder.path
        self._text = ""
        self._written_at = 0.0
        self._read_version: tuple[int, int] | None = None
        self._stage: Stage | None = None

    def note(self, progress: Event | Stage) -> None:
        """Note a stage before the run has started, or an event: that it has started, was saved or has ended."""
        with contextlib.suppress(OSError, StorageError):
            match progress:
                case Stage():
                    self._write_stage(progress)
                case events.RunStarted():
                    (self._folder / "has-started").touch()
                case events.CheckpointSaved(name="latest"):
                    (self._folder / "has-saved").touch()
                case RunFinished() | RunFailed():
                    with new_file(self._folder / "end.json") as file:
                        file.write(events.to_json(progress).encode())

    def _write_stage(self, stage: Stage) -> None:
        """Replace the stage. Raises `OSError`."""
        now = time.monotonic()
        if stage.text != self._text or now - self._written_at >= _SECONDS:
            self._text, self._written_at = stage.text, now
            temporary = self._folder / "stage.new"
            temporary.write_text(codec.encode(stage), encoding="utf-8")
            os.replace(temporary, self._folder / "stage.json")

    @property
    def stage(self) -> Stage | None:
        """The latest stage; None before the first."""
        with contextlib.suppress(OSError, codec.DecodeError):
            path = self._folder / "stage.json"
            status = path.stat()
            version = status.st_ino, status.st_mtime_ns
            if version != self._read_version:
                self._read_version = version
                self._stage = codec.decode(path.read_bytes(), Stage)
        return self._stage

    @property
    def has_started(self) -> bool:
        """Whether the run has started."""
        return (self._folder / "has-started").exists()

    @property
    def has_saved(self) -> bool:
        """Whether the run was saved since the launch began: its latest checkpoint has the settings of this launch."""
        return (self._folder / "has-saved").exists()

    @property
    def ended(self) -> RunFinished | RunFailed | None:
        """The last event of the run; None before it, and where a kill prevented it."""
        with contextlib.suppress(OSError, codec.DecodeError):
            event = events.from_json((self._folder / "end.json").read_bytes())
            return event if isinstance(event, RunFinished | RunFailed) else None
        return None

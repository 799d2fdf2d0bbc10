"""The journal of a run: every event, one line of JSON each, in its folder. What a resumed run's curve is drawn from.

Lines are only ever appended. A line that was torn by a kill or a power loss is left out when reading, silently.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine import events, wire
from engine.errors import StorageError, TweetgenError
from engine.events import Event, TweetSampled
from engine.folders import storage_errors


class Journal:
    """An open journal. `write` puts a line where even a killed process leaves it."""

    def __init__(self, path: Path) -> None:
        """Open for appending, alone; a torn last line is closed first.

        Raises `StorageError`, also where another program has the run open. The lock ends with its process.
        """
        self._path = path
        with storage_errors(path):
            self._file = path.open("ab")
            _lock(self._file, path)
            if not _ends_with_newline(path):
                self._file.write(b"\n")

    def write(self, event: Event) -> None:
        """Append one event. Raises `StorageError`."""
        with storage_errors(self._path):
            self._file.write(events.to_json(event).encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file. Raises `StorageError`."""
        with storage_errors(self._path):
            self._file.close()


def read_journal(path: Path) -> Iterator[Event]:
    """Return the events of a journal in order; what is no event is left out. A missing file holds none."""
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    yield events.from_json(line)
                except (wire.WireError, TweetgenError):
                    continue
    except FileNotFoundError:
        return


def tweet_in(line: bytes) -> TweetSampled | None:
    """Return the tweet that a line holds; None where it holds something else, or is torn."""
    try:
        event = events.from_json(line)
    except wire.WireError:
        return None
    return event if isinstance(event, TweetSampled) else None


def is_in_use(path: Path) -> bool:
    """Return whether a program, this one included, has the journal open for writing."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep other programs out of the run. Raises `StorageError` where one is in it already."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StorageError(
            f"The run {path.parent.name} is open in another program.", "Leave it there first, or start a new run."
        ) from None


def _ends_with_newline(path: Path) -> bool:
    """Return whether a file is empty or its last line is whole."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        return file.read(1) in (b"", b"\n")

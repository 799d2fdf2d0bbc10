"""Writes the journal of a run: its events as lines of JSON. The plot of a resumed run is restored from it.

Lines are appended, and never change: a partial line that a full disk left is truncated before the next write, and a
line torn by a kill is skipped by `journal_reader`. Later steps are written in buckets (`step_buckets`). The lock on the
open journal keeps other programs out of the whole run.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine.errors import StorageError
from engine.protocol import events
from engine.protocol.events import Event, RunStarted
from engine.storage.atomic_write import storage_errors, write_all
from engine.storage.file_lock import in_use_error, is_same, try_lock
from engine.storage.journal_reader import read_journal
from engine.storage.step_buckets import StepBuckets

MAX_WAITING_BYTES = 1024 * 1024
"""Limit of the lines buffered while the disk fails; beyond it the oldest are dropped."""
_NOT_OPEN = -1


class Journal:
    """An open, locked journal. A written line survives a kill of the process.

    The steps of the open bucket are in memory until it ends. After a failed write, lines are buffered in memory until
    `flush` succeeds.
    """

    def __init__(self, path: Path) -> None:
        """Open and lock the file for appending; the next line starts after a torn last one.

        Raises `StorageError`, also if another program has the run open.
        """
        self.path = path
        self.is_failing = False
        """Whether the last write failed; `write` then only buffers until `flush` is called."""
        self.num_lost = 0
        """Events dropped because the buffer was full."""
        self._waiting: deque[bytes] = deque()
        self._started: RunStarted | None = None
        self._last: Event | None = None
        self._descriptor = self._folder = _NOT_OPEN
        self._num_bytes = 0
        """Length of the valid part of the file; a failed write may have left more."""
        self._is_torn = False
        with storage_errors(path):
            first = next(read_journal(path), None)
        self._buckets = StepBuckets(None if first is None else first.step)
        self._open(os.O_CREAT)

    @property
    def num_waiting(self) -> int:
        """Events that are buffered and not written yet."""
        return len(self._waiting)

    def write(self, event: Event) -> None:
        """Append an event. Raises `StorageError` on the first failure; the event stays buffered."""
        if isinstance(event, RunStarted):
            self._started = event
        self._last = event
        self._write_lines(self._buckets.add(event))

    def end_bucket(self) -> None:
        """Append the steps that are in memory, so that no bucket has steps before and after. Raises as `write`."""
        self._write_lines(self._buckets.flush())

    def flush(self) -> None:
        """Write all that is in memory, even after a failed write. Raises `StorageError`."""
        self._waiting += map(to_line, self._buckets.flush())
        self._write_waiting()

    def _write_lines(self, events_to_write: Iterable[Event]) -> None:
        """Append events; after a failed write only buffer them. Raises `StorageError` on the first failure."""
        self._waiting += map(to_line, events_to_write)
        if self.is_failing:
            self._drop_oldest()
        else:
            self._write_waiting()

    def _write_waiting(self) -> None:
        """Write the buffered lines. Raises `StorageError`."""
        if not self._waiting:
            return
        try:
            self.append(b"".join(self._waiting))
        except StorageError:
            self.is_failing = True
            raise
        self.is_failing = False
        self._waiting.clear()

    def _drop_oldest(self) -> None:
        """Shrink the buffer to `MAX_WAITING_BYTES`."""
        num_bytes = sum(map(len, self._waiting))
        while num_bytes > MAX_WAITING_BYTES and len(self._waiting) > 1:
            num_bytes -= len(self._waiting.popleft())
            self.num_lost += 1

    def append(self, lines: bytes) -> None:
        """Append whole lines, all or none. Raises `StorageError`.

        A partial write is truncated at once, or before the next append if that fails too.
        """
        with storage_errors(self.path):
            self._truncate_partial_write()
            try:
                write_all(self._descriptor, b"\n" + lines if self._is_torn else lines)
            except OSError:
                with contextlib.suppress(OSError):
                    self._truncate_partial_write()
                raise
            self._num_bytes = os.fstat(self._descriptor).st_size
            self._is_torn = False

    def _truncate_partial_write(self) -> None:
        """Truncate what a failed append wrote. Raises `OSError`."""
        if os.fstat(self._descriptor).st_size > self._num_bytes:
            os.ftruncate(self._descriptor, self._num_bytes)

    def recreate_if_missing(self, **settings: Any) -> bool:  # noqa: ANN401 - fields of `RunStarted`
        """Recreate file and folder if they were deleted or moved away; return whether they were.

        A file that an editor or a backup put in place of the open one is appended to. Raises `StorageError`, also if
        another folder has that name: it may be another run's. The new journal begins with `RunStarted`, as after a
        resume, with these `settings`.
        """
        with storage_errors(self.path):
            if is_same(self.path, self._descriptor):
                return False
            is_same_folder = is_same(self.path.parent, self._folder)
            if not is_same_folder and self.path.exists():
                raise StorageError(
                    f"{self.path} belongs to another run now.",
                    "Move that folder away; this run then creates a new one.",
                )
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._open(os.O_CREAT if is_same_folder else os.O_CREAT | os.O_EXCL)
        if self._num_bytes:
            return False
        if self._started is not None and self._last is not None:
            step, seconds = self._last.step, self._last.elapsed_seconds
            restarted = replace(self._started, step=step, elapsed_seconds=seconds, **settings)
            self._waiting.appendleft(to_line(restarted))
        return True

    def _open(self, how: int) -> None:
        """Open and lock the file, and close the one that was open. Raises `StorageError`."""
        with storage_errors(self.path):
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | how, 0o666)
            try:
                if not try_lock(descriptor):
                    raise in_use_error(self.path)
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):  # a pipe blocks when it is full
                    raise OSError(errno.EINVAL, "Not a regular file")
                num_bytes = status.st_size
                is_torn = num_bytes > 0 and os.pread(descriptor, 1, num_bytes - 1) != b"\n"
                folder = os.open(
                    self.path.parent, os.O_RDONLY
                )  # while it is open, its inode can't be reused by a new folder
            except BaseException:  # re-raised; no descriptor is left open
                os.close(descriptor)
                raise
        self._close_file()
        self._descriptor, self._folder = descriptor, folder
        self._num_bytes, self._is_torn = num_bytes, is_torn

    def close(self) -> None:
        """Try a last time to write what is in memory, and close the file. Idempotent."""
        if self._descriptor != _NOT_OPEN:
            with contextlib.suppress(StorageError):
                self.flush()
            self._close_file()

    def _close_file(self) -> None:
        for descriptor in (self._descriptor, self._folder):
            with contextlib.suppress(OSError):  # a network file system may report old errors only now
                if descriptor != _NOT_OPEN:
                    os.close(descriptor)
        self._descriptor = self._folder = _NOT_OPEN


def to_line(event: Event) -> bytes:
    """Return an event as its line in the journal."""
    return events.to_json(event).encode() + b"\n"

"""Writes the journal of a run: every event as one line of JSON. The plot of a resumed run is restored from it.

Lines are appended: a partial line that a full disk left is truncated before the next write, and a line torn by a kill
is skipped by `journal_reader`. Now and then a copy with old steps in buckets replaces the file (`journal_thinning`).
The lock on the open journal keeps other programs out of the whole run.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import StorageError
from engine.protocol import events
from engine.protocol.events import Event, RunStarted
from engine.storage.atomic_write import storage_errors, write_all
from engine.storage.file_lock import is_same, try_lock
from engine.storage.journal_thinning import JournalThinning, ThinnedCopy, copy_bytes, next_bytes

MAX_WAITING_BYTES = 1024 * 1024
"""Limit of the lines buffered while the disk fails; beyond it the oldest are dropped."""
_NOT_OPEN = -1


class Journal:
    """An open, locked journal. A written line survives a kill of the process.

    After a failed write, lines are buffered in memory until `flush` succeeds.
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
        self._is_thinned = False
        """Whether old steps are thinned; not before the `RunStarted`, which has the setting."""
        self._thinning: JournalThinning | None = None
        self._thinned_at = next_bytes(0)
        """The length at which old steps are thinned next."""
        self._lock = threading.Lock()
        """Of the open file: the thread of `_thinning` replaces it."""
        self._open(os.O_CREAT)

    @property
    def num_waiting(self) -> int:
        """Events that are buffered and not written yet."""
        return len(self._waiting)

    def write(self, event: Event) -> None:
        """Append an event. Raises `StorageError` on the first failure; the event stays buffered."""
        if isinstance(event, RunStarted):
            self._started = event
            self._is_thinned = not event.training.keep_every_step
        self._last = event
        self._waiting.append(to_line(event))
        if self.is_failing:
            self._drop_oldest()
        else:
            self.flush()

    def flush(self) -> None:
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
        with self._lock, storage_errors(self.path):
            self._truncate_partial_write()
            try:
                write_all(self._descriptor, b"\n" + lines if self._is_torn else lines)
            except OSError:
                with contextlib.suppress(OSError):
                    self._truncate_partial_write()
                raise
            self._num_bytes = os.fstat(self._descriptor).st_size
            self._is_torn = False
        is_due = self._is_thinned and self._num_bytes >= self._thinned_at
        if is_due and (self._thinning is None or self._thinning.is_over):
            self._thinned_at = next_bytes(self._num_bytes)
            with contextlib.suppress(RuntimeError):  # the system starts no more threads now
                self._thinning = JournalThinning(self.path, lambda: self._num_bytes, self._put_in_place)

    def _put_in_place(self, copy: ThinnedCopy) -> bool:
        """Complete a thinned copy and put it in the place of the journal, unless another file is there.

        Called by the thread of `_thinning`. Raises `OSError`.
        """
        with self._lock:
            is_open = self._descriptor != _NOT_OPEN and is_same(self.path, self._descriptor)
            if not is_open or not is_same(self.path, copy.source):
                return False
            copy_bytes(copy.source, copy.descriptor, copy.num_copied, self._num_bytes)
            os.replace(copy.temporary, self.path)
            before, self._descriptor = self._descriptor, copy.descriptor
            self._num_bytes = os.fstat(copy.descriptor).st_size
            self._thinned_at = next_bytes(self._num_bytes)
        with contextlib.suppress(OSError):
            os.close(before)
        return True

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
        with self._lock:
            return self._recreate_if_missing(settings)

    def _recreate_if_missing(self, settings: dict[str, Any]) -> bool:
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
            restarted = replace(self._started, step=step, elapsed_seconds=seconds, epochs=None, **settings)
            self._waiting.appendleft(to_line(restarted))
        return True

    def _open(self, how: int) -> None:
        """Open and lock the file, and close the one that was open. Raises `StorageError`."""
        with storage_errors(self.path):
            descriptor = self._locked_file(how)
            try:
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

    def _locked_file(self, how: int) -> int:
        """Return the descriptor of the file, locked. Raises `OSError`, `StorageError`."""
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | how, 0o666)
            try:
                if not try_lock(descriptor):
                    raise in_use_error(self.path)
                if is_same(self.path, descriptor):
                    return descriptor
            except BaseException:  # re-raised; no descriptor is left open
                os.close(descriptor)
                raise
            os.close(descriptor)  # the program that had the lock has put a thinned copy in its place meanwhile

    def close(self) -> None:
        """Try a last time to write the buffered lines, and close the file. Idempotent."""
        self._is_thinned = False
        if self._thinning is not None:
            self._thinning.cancel()
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


def in_use_error(path: Path) -> StorageError:
    """Return the error of a run whose journal another program has open."""
    run = path.parent.name
    return StorageError(
        f"The run {run} is active already.",
        f"Attach to it: tweetgen-tui attach {run}; or start a new run.",
    )


def to_line(event: Event) -> bytes:
    """Return an event as its line in the journal."""
    return events.to_json(event).encode() + b"\n"

"""The journal of a run: every event, one line of JSON each, in its folder. What a resumed run's curve is drawn from.

Lines are only ever appended, whole: half of one that a full disk left is taken back. A line that was torn by a kill or
a power loss is left out when reading, silently. Its lock is what keeps other programs out of the whole run.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from engine import events, locks, wire
from engine.errors import StorageError, TweetgenError
from engine.events import Event, TweetSampled
from engine.folders import storage_errors, write_all
from engine.journal_lines import Unread, read_events
from engine.regular_files import open_regular

Where = Literal["here", "gone", "taken"]
_TRIES = 5
_TAIL_BYTES = 256 * 1024
"""Longer than any event is."""
_NOT_OPEN = -1


class Journal:
    """An open journal. `write` puts a line where even a killed process leaves it."""

    def __init__(self, path: Path) -> None:
        """Open for appending, alone; a torn last line is closed before the next.

        Raises `StorageError`, also where another program has the run open. The lock ends with its process.
        """
        self._path = path
        self._descriptor = self._folder_descriptor = _NOT_OPEN
        self._whole_bytes: int | None = None
        """Where the last whole line ends, while something is being written after it."""
        self._is_torn = False
        self.open_anew(path)
        _OPEN.add(self)

    def open_anew(self, path: Path) -> None:
        """Go on in the file at `path`, which is made where it is missing.

        Raises `StorageError`, as at the start; the file before stays open then.
        """
        if self._descriptor != _NOT_OPEN:
            locks.let_go(self._path)
        with storage_errors(path):
            folder_descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                descriptor = _open_locked(path)
            except BaseException:  # raised on; no descriptor is left open
                os.close(folder_descriptor)
                raise
            self._close_descriptors()
            self._descriptor, self._folder_descriptor = descriptor, folder_descriptor
            self._path = path
            self._whole_bytes = None
            size = os.fstat(descriptor).st_size
            self._is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"

    def write(self, event: Event) -> None:
        """Append one event. Raises `StorageError`."""
        self.append(line_of(event))

    def append(self, lines: bytes) -> None:
        """Append whole lines, all or none. Raises `StorageError`.

        What got into the file of lines that failed is taken back, at the latest before the next.
        """
        with storage_errors(self._path):
            self._take_back()
            self._whole_bytes = os.fstat(self._descriptor).st_size
            try:
                write_all(self._descriptor, b"\n" + lines if self._is_torn else lines)
            except OSError:
                with contextlib.suppress(OSError):
                    self._take_back()
                raise
            self._whole_bytes = None
            self._is_torn = False

    def _take_back(self) -> None:
        """Cut off what was written of lines that failed. Raises `OSError`."""
        if self._whole_bytes is not None and os.fstat(self._descriptor).st_size > self._whole_bytes:
            os.ftruncate(self._descriptor, self._whole_bytes)
        self._whole_bytes = None

    def where(self) -> Where:
        """Return whether the file is still where it was opened.

        "gone": it, or its folder, was deleted or moved away; "taken": its folder was, and another run's is there now.
        """
        if _is_same(self._path, self._descriptor):
            return "here"
        folder = self._path.parent
        is_own = _is_same(folder, self._folder_descriptor)
        return "taken" if not is_own and any(folder.glob("*.json*")) else "gone"

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._descriptor != _NOT_OPEN:
            locks.let_go(self._path)
        self._close_descriptors()

    def _close_descriptors(self) -> None:
        """Close what is open of file and folder."""
        for descriptor in (self._descriptor, self._folder_descriptor):
            with contextlib.suppress(OSError):  # what a network file system tells only now was written long ago
                if descriptor != _NOT_OPEN:
                    os.close(descriptor)
        self._descriptor = self._folder_descriptor = _NOT_OPEN


def _open_locked(path: Path) -> int:
    """Open and lock the file that has this path, rather than one that had it a moment ago."""
    for _ in range(_TRIES):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):  # nobody would read it, and writing would wait for that
                raise OSError(errno.EINVAL, "Not a regular file")
            locks.take(descriptor, path)
        except BlockingIOError:
            os.close(descriptor)
            raise StorageError(
                f"The run {path.parent.name} is open in another program.",
                f"Attach to it: tweetgen-tui attach {path.parent.name}; or start a new run.",
            ) from None
        except BaseException:  # raised on; no descriptor is left open
            os.close(descriptor)
            raise
        if _is_same(path, descriptor):
            return descriptor
        os.close(descriptor)
    raise StorageError(f"{path} is replaced again and again.", "Let no other program change the run.")


_OPEN: weakref.WeakSet[Journal] = weakref.WeakSet()


def _let_go_in_child() -> None:
    """Close, in a forked child, what its parent has open: or a child that outlives it would keep the run locked."""
    for journal in _OPEN:
        journal._close_descriptors()  # noqa: SLF001 - of this module's own class


os.register_at_fork(after_in_child=_let_go_in_child)


def _is_same(path: Path, descriptor: int) -> bool:
    """Return whether `path` is what is open as `descriptor`; also where nobody can tell just now."""
    if descriptor == _NOT_OPEN:
        return False
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def line_of(event: Event) -> bytes:
    """Return an event as the journal has it."""
    return events.to_json(event).encode() + b"\n"


def read_journal(path: Path, unread: Unread | None = None) -> Iterator[Event]:
    """Return the events of a journal in order; what is none is left out, and counted in `unread`.

    A missing file holds none. Raises `OSError` where it can't be read.
    """
    try:
        with open_regular(path) as file:
            yield from read_events(file, Unread() if unread is None else unread)
    except FileNotFoundError:
        return


def last_event(path: Path) -> Event | None:
    """Return the last event that can be read at the end of a journal; None where there is none."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).split(b"\n")
    except OSError:
        return None
    for line in reversed(lines):
        with contextlib.suppress(wire.WireError, TweetgenError):
            return events.from_json(line)
    return None


def tweet_in(line: bytes) -> TweetSampled | None:
    """Return the tweet that a line holds; None where it holds something else, or is torn."""
    try:
        event = events.from_json(line)
    except wire.WireError:
        return None
    return event if isinstance(event, TweetSampled) else None


def is_in_use(path: Path) -> bool:
    """Return whether a program, this one included, has the journal open for writing."""
    return locks.is_held(path)

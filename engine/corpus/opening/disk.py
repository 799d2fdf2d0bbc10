"""`DiskFile`: a regular file, open for reading. A file that changes meanwhile is an error, not a strange tweet.

Nothing else is opened: a device may never end and a pipe can be read only once.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.corpus.opening.meter import Meter
from engine.corpus.opening.streams import ByteStream, buffered
from engine.errors import CorpusError

_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Without blocking, opening a pipe that nobody writes to returns, and is then refused."""


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError`, or a path that can be none, into a `CorpusError` that names `path`."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path with NUL or half a character
        cause = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise CorpusError(f"{path} can't be read: {cause}.", _hint(error)) from error


def _hint(error: OSError | ValueError) -> str:
    """Return what to do where a file can't be read."""
    if isinstance(error, PermissionError):
        return "Check its permissions."
    return "Check the disk, and try again." if getattr(error, "errno", None) == errno.EIO else "Check the path."


@dataclass(frozen=True)
class Fingerprint:
    """What tells that a file on disk is still the same."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Fingerprint:
        """Return the fingerprint of a file by its status."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def status_of(path: Path) -> os.stat_result:
    """Return the status of a file or folder, links followed. Raises `CorpusError` for anything else or nothing."""
    with read_errors(path):
        found = os.stat(path)
    if stat.S_ISFIFO(found.st_mode):
        raise CorpusError(f"{path} is a pipe.", "Pipe it into the program and name it with --data -.")
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise CorpusError(f"{path} is no file but a device or socket.", "Give a file, a folder, or - for a pipe.")
    return found


class DiskFile(ByteStream):
    """The bytes of a regular file, counted on a meter."""

    def __init__(self, path: Path, meter: Meter, expected: Fingerprint) -> None:
        """Open it. Raises `CorpusError` where it is no longer what `expected` says."""
        self._path, self._meter, self._expected = path, meter, expected
        self._descriptor = -1
        with read_errors(path):
            self._descriptor = os.open(path, _OPEN_FLAGS)
        self._refuse_change()

    def _refuse_change(self) -> None:
        """Raise `CorpusError` where the file is no longer the same."""
        with read_errors(self._path):
            found = os.fstat(self._descriptor)
        if Fingerprint.of(found) != self._expected:
            raise CorpusError(f"{self._path} changed while it was read.", "Try again when nothing writes to it.")

    def seekable(self) -> bool:
        """Return True."""
        return True

    def next_bytes(self, max_bytes: int) -> bytes:
        """Read some bytes; at the end, the file must still be what it was at the beginning."""
        with read_errors(self._path):
            data = os.read(self._descriptor, max_bytes)
        self._meter.add(len(data))
        if not data:
            self._refuse_change()
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place in the file. Raises `OSError` where there can't be one."""
        return os.lseek(self._descriptor, offset, whence)

    def close(self) -> None:
        """Close it; again does nothing."""
        if not self.closed:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)
        super().close()


def open_disk(path: Path, meter: Meter, expected: Fingerprint) -> io.BufferedReader:
    """Open a regular file that was found before. Raises `CorpusError`, also later while it is read."""
    return buffered(DiskFile(path, meter, expected))

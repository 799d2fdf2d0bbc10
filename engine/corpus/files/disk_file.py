"""`DiskFile`: a regular file; one that changes while it is read is an error. `ReadProgress`: how far reading is.

Nothing else is opened: a device may never end and a pipe can be read only once.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.corpus.files.byte_stream import ByteStream, buffered
from engine.corpus.files.read_progress import ReadProgress
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


def status_of(path: Path) -> os.stat_result:
    """Return the status of a file or folder, links followed. Raises `CorpusError` for anything else or nothing."""
    with read_errors(path):
        found = os.stat(path)
    if stat.S_ISFIFO(found.st_mode):
        raise CorpusError(f"{path} is a pipe.", "Pipe it into the program and name it with --data -.")
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise CorpusError(f"{path} is no file but a device or socket.", "Give a file, a folder, or - for a pipe.")
    return found


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return what shows that a file on disk is still the same."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class DiskFile(ByteStream):
    """The bytes of a regular file, counted on a progress.

    It is open only during each read, so that many archives may wait for their members to be read.
    """

    def __init__(self, path: Path, progress: ReadProgress, found: os.stat_result) -> None:
        """Begin at the first byte. Raises `CorpusError` where it is no longer the file that was `found`."""
        self._path, self._progress, self._found = path, progress, found
        self._position = 0
        os.close(self._opened())

    def _opened(self) -> int:
        """Return a descriptor of the file. Raises `CorpusError` where it is no longer the same."""
        with read_errors(self._path):
            descriptor = os.open(self._path, _OPEN_FLAGS)
        if _identity(os.fstat(descriptor)) != _identity(self._found):
            os.close(descriptor)
            raise CorpusError(f"{self._path} changed while it was read.", "Try again when nothing writes to it.")
        return descriptor

    def seekable(self) -> bool:
        """Return True."""
        return True

    def next_bytes(self, max_bytes: int) -> bytes:
        """Read some bytes; the file must still be what it was at the beginning."""
        descriptor = self._opened()
        try:
            with read_errors(self._path):
                data = os.pread(descriptor, max_bytes, self._position)
        finally:
            os.close(descriptor)
        self._progress.add(len(data))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place in the file. Raises `OSError` where there can't be one."""
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._found.st_size}[whence]
        if position < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = position
        return position


def open_disk(path: Path, progress: ReadProgress, found: os.stat_result) -> io.BufferedReader:
    """Open a regular file that was found before. Raises `CorpusError`, also later while it is read."""
    return buffered(DiskFile(path, progress, found))

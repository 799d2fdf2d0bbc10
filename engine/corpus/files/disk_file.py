"""`DiskFile`: a regular file; it is an error if it changes while it is read.

Never opens anything else: a device may never end, and a pipe can be read only once.
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
"""Non-blocking, so that opening a pipe without a writer returns; it is refused then."""


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Convert an `OSError`, or the `ValueError` of an invalid path, to a `CorpusError` that names `path`."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path with NUL or a lone surrogate
        cause = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise CorpusError(f"{path} can't be read: {cause}.", _hint(error)) from error


def _hint(error: OSError | ValueError) -> str:
    """Return the hint for a file that can't be read."""
    if isinstance(error, PermissionError):
        return "Check its permissions."
    return "Check the disk, and try again." if getattr(error, "errno", None) == errno.EIO else "Check the path."


def status_of(path: Path) -> os.stat_result:
    """Return the status of a file or folder, following links. Raises `CorpusError` for anything else."""
    with read_errors(path):
        found = os.stat(path)
    if stat.S_ISFIFO(found.st_mode):
        raise CorpusError(f"{path} is a pipe.", "Pipe it into the program with --data -.")
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise CorpusError(f"{path} is a device or socket, not a file.", "Give a file, a folder, or - for a pipe.")
    return found


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return the fields that change when a file is modified or replaced."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class DiskFile(ByteStream):
    """The bytes of a regular file, added to a `ReadProgress` as they are read.

    The file is open only during each read, so that thousands of archives can be listed without as many descriptors.
    """

    def __init__(self, path: Path, progress: ReadProgress, found: os.stat_result) -> None:
        """Raises `CorpusError` if the file differs from `found`."""
        self._path, self._progress, self._found = path, progress, found
        self._position = 0
        os.close(self._opened())

    def _opened(self) -> int:
        """Return a descriptor of the file. Raises `CorpusError` if it has changed."""
        with read_errors(self._path):
            descriptor = os.open(self._path, _OPEN_FLAGS)
        if _identity(os.fstat(descriptor)) != _identity(self._found):
            os.close(descriptor)
            raise CorpusError(f"{self._path} changed while it was read.", "Try again when nothing writes to it.")
        return descriptor

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def next_bytes(self, max_bytes: int) -> bytes:
        """Read some bytes. Raises `CorpusError` if the file has changed."""
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
        """Set the position. Raises `OSError` if it is negative."""
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._found.st_size}[whence]
        if position < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = position
        return position


def open_disk(path: Path, progress: ReadProgress, found: os.stat_result) -> io.BufferedReader:
    """Open a regular file with this status. Raises `CorpusError`, also later while it is read."""
    return buffered(DiskFile(path, progress, found))

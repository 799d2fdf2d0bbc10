"""`JournalThinning`: writes a thinned copy of an open journal on a thread of its own, and puts it in its place.

Training goes on meanwhile: the lines that were appended since are copied last. Whatever fails, the old file stays.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from engine.storage.atomic_write import sync_folder, write_all
from engine.storage.file_lock import try_lock
from engine.storage.safe_open import open_regular
from engine.storage.thinning import Plan, plan_of, thinned

LOG = logging.getLogger(__name__)
MIN_BYTES = 16 * 1024 * 1024
"""A journal is thinned when it has grown by this much and by a quarter: at most five bytes are copied per byte."""
_SHARE_OF_GROWTH = 4
_FREE_BYTES = 64 * 1024 * 1024
"""So much stays free on the disk, for the checkpoints."""
_PART_BYTES = 256 * 1024
_BYTES_BETWEEN_SYNCS = 8 * 1024 * 1024
_WORK_SECONDS, _REST_SECONDS = 0.001, 0.004
"""The thread works for a moment and then rests, so that the training gets the interpreter whenever it needs it."""
_LINES_BETWEEN_LOOKS = 16


def next_bytes(num_bytes: int) -> int:
    """Return the length at which a journal of this length is thinned next."""
    return num_bytes + max(MIN_BYTES, num_bytes // _SHARE_OF_GROWTH)


@dataclass(frozen=True)
class ThinnedCopy:
    """A thinned copy of a journal, locked and under a temporary name."""

    source: int
    """Descriptor of the journal that was copied."""
    descriptor: int
    temporary: Path
    num_copied: int
    """Bytes of the journal that it contains."""


class _Cancelled(Exception):  # noqa: N818 - no error
    """The journal is being closed."""


class JournalThinning:
    """One attempt to thin a journal."""

    def __init__(self, path: Path, num_bytes: Callable[[], int], put_in_place: Callable[[ThinnedCopy], bool]) -> None:
        """Start. `num_bytes` returns the length of the valid part of the journal.

        `put_in_place` appends what the copy lacks, renames it, and returns whether it did; the thread calls it.
        """
        self._path = path
        self._num_bytes = num_bytes
        self._put_in_place = put_in_place
        self._is_cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended, or is about to."""
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """End it within some milliseconds, or a disk's time for `_BYTES_BETWEEN_SYNCS`."""
        self._is_cancelled.set()
        self._thread.join()

    def wait(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def _run(self) -> None:
        """Thin the journal; log what fails. The thread's body."""
        try:
            with open_regular(self._path) as file:
                self._thin(file)
        except _Cancelled:
            pass
        except OSError as error:
            LOG.warning("the journal was not thinned: %s", error)
        except Exception:  # the run continues, with the old journal
            LOG.exception("the journal was not thinned")

    def _thin(self, file: BinaryIO) -> None:
        """Thin an open journal. Raises `OSError`."""
        num_bytes = self._num_bytes()
        plan = plan_of(self._paced(_lines_before(file, num_bytes)))
        is_little = plan.num_bytes < max(MIN_BYTES, num_bytes // _SHARE_OF_GROWTH) // 2
        if is_little or not plan.is_worthwhile or not self._has_space(num_bytes):
            return
        with _new_copy(self._path, file.fileno()) as (temporary, descriptor):
            self._write_thinned(file, plan, descriptor)
            copied = plan.end
            while (end := self._num_bytes()) - copied > _PART_BYTES:
                copied = self._copy(file.fileno(), descriptor, copied, end)
            os.fsync(descriptor)
            copy = ThinnedCopy(file.fileno(), descriptor, temporary, copied)
            if not self._put_in_place(copy):
                raise OSError("another file is in its place")
        sync_folder(self._path.parent)

    def _has_space(self, num_bytes: int) -> bool:
        """Return whether a copy leaves enough space on the disk. Raises `OSError`."""
        disk = os.statvfs(self._path)
        return disk.f_bavail * disk.f_frsize >= num_bytes + _FREE_BYTES

    def _write_thinned(self, file: BinaryIO, plan: Plan, descriptor: int) -> None:
        """Write the part of the journal that is thinned. Raises `OSError`."""
        part, num_unsynced = bytearray(), 0
        for line in thinned(self._paced(_lines_before(file, plan.end)), plan.width):
            part += line
            if len(part) >= _PART_BYTES:
                write_all(descriptor, part)
                num_unsynced += len(part)
                part.clear()
            if num_unsynced >= _BYTES_BETWEEN_SYNCS:
                os.fsync(descriptor)
                num_unsynced = 0
        write_all(descriptor, part)

    def _copy(self, source: int, target: int, start: int, end: int) -> int:
        """Append a part of the journal to the copy; return `end`. Raises `OSError`."""
        for offset in range(start, end, _PART_BYTES):
            if self._is_cancelled.is_set():
                raise _Cancelled
            copy_bytes(source, target, offset, min(offset + _PART_BYTES, end))
        return end

    def _paced(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield lines, with a rest now and then. Raises `_Cancelled`."""
        began = time.perf_counter()
        for number, line in enumerate(lines):
            yield line
            if not number % _LINES_BETWEEN_LOOKS and time.perf_counter() - began > _WORK_SECONDS:
                if self._is_cancelled.wait(_REST_SECONDS):
                    raise _Cancelled
                began = time.perf_counter()


def _lines_before(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Yield the lines of a file before an offset at which a line begins."""
    file.seek(0)
    offset = 0

    def is_before(line: bytes) -> bool:
        nonlocal offset
        offset += len(line)
        return offset <= end

    return takewhile(is_before, file)


@contextlib.contextmanager
def _new_copy(path: Path, source: int) -> Iterator[tuple[Path, int]]:
    """Create and lock a file beside the journal, with its permissions; remove and close it if the block raises.

    Raises `OSError`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.fchmod(descriptor, stat.S_IMODE(os.fstat(source).st_mode))
        if not try_lock(descriptor):
            raise OSError("another program has locked the copy")
        yield temporary, descriptor
    except BaseException:  # raised on; no temporary file and no descriptor is left
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        os.close(descriptor)
        raise


def copy_bytes(source: int, target: int, start: int, end: int) -> None:
    """Append bytes of one file to another. Raises `OSError`, also where the file has become shorter."""
    while start < end:
        part = os.pread(source, min(end - start, _PART_BYTES), start)
        if not part:
            raise OSError("it was cut by another program")
        write_all(target, part)
        start += len(part)

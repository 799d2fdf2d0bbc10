"""How files are opened, locked and written. Never decides where a file goes.

* Untrusted files: regular ones only, and never more than the limit. A pipe in place of a file would block its reader
  for ever, and a device never ends.
* Locks by `flock`: the system releases one however its process ends.
* Written in one way: a temporary sibling, fsync, rename. A reader sees the old file or the new one. Every `OSError`
  becomes a `StorageError` that names the path, the cause and the remedy.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.errors import StorageError
from engine.text import quoted


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises `OSError`, also for other kinds of file and for an invalid name."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError as error:  # a NUL character in the name
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:  # re-raised; no descriptor is left open
        os.close(descriptor)
        raise


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file. Raises `OSError`, also if it has more than `max_bytes`."""
    with open_regular(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return content


_HAS_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_TRIES, _SECONDS_BETWEEN = 5, 0.02
"""`is_locked` holds a shared lock for some microseconds."""


def try_lock(descriptor: int) -> bool:
    """Lock an open file; False where another open file has the lock. Raises `OSError`.

    True also on a file system without locks, which can't keep another program out.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if tries_left:
                time.sleep(_SECONDS_BETWEEN)
        except OSError as error:
            if error.errno not in _HAS_NO_LOCKS:
                raise
            return True
        else:
            return True
    return False


def is_locked(path: Path) -> bool:
    """Return whether a program, this one included, has locked the file; False where it can't be opened."""
    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


def is_same(path: Path, descriptor: int) -> bool:
    """Return whether a path names an open file. Raises `OSError` if that can't be determined."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except (FileNotFoundError, NotADirectoryError):
        return False


def in_use_error(path: Path) -> StorageError:
    """Return the error of a run whose journal another program has open."""
    run = path.parent.name
    return StorageError(
        f"The run {run} is active already.",
        f"Attach to it: tweetgen-tui attach {quoted(run)}; or start a new run.",
    )


_SHOWN_NAME_CHARS = 50
"""Characters of a file's name that the name of its temporary file repeats."""
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Free some space or set"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Change the permissions or set"),
}


@contextlib.contextmanager
def storage_errors(path: Path, hint: str = "") -> Iterator[None]:
    """Convert an `OSError` inside the block to a `StorageError` that names `path`, the cause and the remedy.

    The remedy is `hint`, or else one for files of the data folder.
    """
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error)
        hint = hint or f"{_REMEDIES.get(error.errno or 0, 'Set')} TWEETGEN_HOME to a writable folder."
        raise StorageError(f"{path} can't be written: {cause}.", hint) from error


@dataclass
class NewFile:
    """A file that is being written under a temporary name."""

    path: Path
    """The final path; may be changed until the block ends."""
    temporary: Path
    descriptor: int

    def write(self, content: bytes | memoryview) -> None:
        """Append all of `content`, in several system calls if needed. Raises `OSError`."""
        write_all(self.descriptor, content)


@contextlib.contextmanager
def new_file(path: Path, mode: int = 0o600, hint: str = "") -> Iterator[NewFile]:
    """Open a new file that replaces `path` when the block ends, and is removed when the block raises.

    Temporary sibling, fsync, rename, fsync of the folder, which is created if missing. `mode` is subject to the umask.
    Raises `StorageError`, also for an `OSError` inside the block, with a `hint` as of `storage_errors`.
    """
    with storage_errors(path, hint):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:_SHOWN_NAME_CHARS]}.{secrets.token_hex(4)}.tmp")
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        new = NewFile(path, temporary, descriptor)
        try:
            try:
                yield new
                sync(descriptor)
            finally:
                os.close(descriptor)  # before the rename: some network file systems report write errors only on close
            os.replace(temporary, new.path)
        except BaseException:  # re-raised; an interrupt leaves no temporary file behind either
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        sync_folder(path.parent)


def write_atomically(path: Path, content: bytes, mode: int = 0o600, hint: str = "") -> None:
    """Replace a file atomically: readers see the old content or the new. Raises `StorageError` as `new_file`."""
    with new_file(path, mode, hint) as new:
        new.write(content)


def write_all(descriptor: int, content: bytes | bytearray | memoryview) -> None:
    """Write all of `content`, in several system calls if needed. Raises `OSError`."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync(descriptor: int) -> None:
    """Make what was written to an open file survive a power loss. Raises `OSError`."""
    os.fsync(descriptor)
    if sys.platform == "darwin":  # where the disk may still keep it in its own memory: fsync(2)
        with contextlib.suppress(OSError):  # a file system without it
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power loss; some network file systems don't support it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            sync(descriptor)
        finally:
            os.close(descriptor)


def remove_stale_temporaries(folder: Path, min_age_seconds: float = 3600.0) -> None:
    """Remove temporary files that killed processes left in a folder; errors are ignored.

    Other processes may be writing theirs: pass `min_age_seconds=0` only for a folder that the caller has locked.
    """
    with contextlib.suppress(OSError):
        for path in folder.glob(".*.????????.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime >= min_age_seconds:
                    path.unlink()


def write_export(path: Path, parts: Iterable[bytes], *, may_replace: bool) -> None:
    """Write a file atomically, part by part. Raises what `check_export` does, and `StorageError` on other failures."""
    check_export(path, may_replace=may_replace)
    with new_file(path, 0o666, "Choose another folder.") as new:
        for part in parts:
            new.write(part)


def check_export(path: Path, *, may_replace: bool) -> None:
    """Raise `FileExistsError` if the file exists and `may_replace` is false, `StorageError` without a folder for it."""
    if os.path.exists(path):
        if not os.path.isfile(path):
            raise StorageError(f"{path} is not a file.", "Choose another name.")
        if not may_replace:
            raise FileExistsError(path)
    if not os.path.isdir(path.parent):
        raise StorageError(f"{path} can't be written.", f"There is no folder {path.parent}.")
